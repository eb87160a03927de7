"""Beat: looks after runs that nobody executes. Any number of beats at once, without a leader."""
