"""The stylesheet and the scripts: served under the digest of their content, so that browsers may keep them for ever."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from flask import Response, abort

_FOLDER: Final = Path(__file__).parents[1] / "static"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@cache
def assets_path() -> str:
    """The path below which the current files are; their modules import each other relative to it."""
    digest = hashlib.sha256()
    for name, content in _files().items():
        digest.update(name.encode() + b"\0" + content)
    return f"/static/{digest.hexdigest()[:16]}"


def serve_asset(digest: str, name: str) -> Response:
    """One file; kept by the browser only under the current digest, since a rolling deploy serves two for a while."""
    content = _files().get(name)
    if content is None:
        abort(404)
    answer = Response(content, mimetype=_TYPES[Path(name).suffix])
    answer.headers["Cache-Control"] = _FOR_EVER if assets_path() == f"/static/{digest}" else "no-cache"
    return answer


@cache
def _files() -> dict[str, bytes]:
    """All of them, by name: together they are smaller than one photograph."""
    return {path.name: path.read_bytes() for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES}
