"""Where a form leads back to: a page of History, whatever its field says."""

from __future__ import annotations

from flask import request


def way_back(otherwise: str) -> str:
    """The page that the form was sent from."""
    wanted = request.form.get("back", "")
    path = wanted.partition("?")[0]
    ours = path == "/history" or path.startswith("/history/")
    return wanted if ours and "\\" not in wanted and wanted.isprintable() else otherwise
