"""The command line: `keystroke <collection> <verb>`. It talks to a server through `keystroke.client`."""
