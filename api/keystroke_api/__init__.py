"""The HTTP API: Flask in front of `keystroke.operations` and `keystroke.store`. It never imports a project's code."""
