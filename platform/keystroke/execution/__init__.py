"""One attempt of a run, told as a story: admit, replay or execute step by step, and end in exactly one outcome."""
