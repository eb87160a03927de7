"""Why the API itself turns a request away, before any operation is asked. Docstrings are the `detail` that callers read."""

from __future__ import annotations

from keystroke.errors import KeystrokeError, PathError


class InvalidJson(KeystrokeError):
    """The body is not JSON: {why}"""

    code = "invalid-json"


class InvalidForm(KeystrokeError):
    """The form cannot be read: {why}"""

    code = "invalid-form"


class InvalidRequest(KeystrokeError):
    """The {what} cannot be used: {summary}"""

    code = "invalid-request"
    errors: list[PathError]

    def __init__(self, *, what: str, errors: list[PathError]) -> None:
        """Sum up the first three errors; all of them stay in `errors`."""
        summary = "; ".join(f"{error.path}: {error.message}" for error in errors[:3])
        super().__init__(what=what, summary=summary, errors=errors)


class UnsupportedMediaType(KeystrokeError):
    """The body must be JSON, sent with `Content-Type: application/json`."""

    code = "unsupported-media-type"


class BodyTooLarge(KeystrokeError):
    """The body is larger than the {limit} bytes that this route reads."""

    code = "body-too-large"


class BodyTooSlow(KeystrokeError):
    """The body did not arrive whole: within {seconds} s all of it has to be there."""

    code = "body-too-slow"


class BrokenChunks(KeystrokeError):
    """The body cannot be read: it is not in chunks as HTTP/1.1 has them."""

    code = "broken-chunks"


class KeyMissing(KeystrokeError):
    """An API key is needed: send `Authorization: Bearer ks_…` or `x-api-key`."""

    code = "api-key-missing"


class KeyRefused(KeystrokeError):
    """The API key is unknown, revoked or expired."""

    code = "api-key-refused"


class RoleTooLow(KeystrokeError):
    """This needs the role {needed}; the API key has {role}."""

    code = "role-too-low"


class LoopbackOnly(KeystrokeError):
    """Without any API key set up, only this machine is served: create a key with `keystroke api-keys create`."""

    code = "loopback-only"


class ForeignHost(KeystrokeError):
    """Without any API key set up, the Host header must name this machine (localhost, 127.0.0.1 or [::1])."""

    code = "foreign-host"


class ForeignOrigin(KeystrokeError):
    """Without any API key set up, only pages of this server may send requests to it."""

    code = "foreign-origin"


class NotReady(KeystrokeError):
    """Not ready to serve: {why}"""

    code = "not-ready"


class UnsafeListen(KeystrokeError):
    """No API key exists, so {listen} is refused: create one with `keystroke api-keys create`, or listen on 127.0.0.1."""

    code = "unsafe-listen"
