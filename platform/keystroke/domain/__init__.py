"""The nouns of the trade and their rules: plain Python, no I/O, no framework."""
