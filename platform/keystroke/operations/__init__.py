"""One verb per file, one transaction each. An operation commits; waking somebody up is its caller's part."""
