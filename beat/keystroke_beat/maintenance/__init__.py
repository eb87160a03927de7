"""The rounds: each looks for one kind of thing that is due, by guarded writes, so that two beats never do it twice."""
