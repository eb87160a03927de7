"""The HTTP client of a Keystroke server, shared by the command line and by users' programs."""

from keystroke.client.client import Client

__all__ = ["Client"]
