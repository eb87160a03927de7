"""Who is on the other end: addresses behind trusted proxies, and what counts as this machine."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from keystroke.errors import InvalidSettings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_FORWARDED_FOR: Final = "HTTP_X_FORWARDED_FOR"
_FORWARDED_PROTO: Final = "HTTP_X_FORWARDED_PROTO"
_FORWARDED_HOST: Final = "HTTP_X_FORWARDED_HOST"
#: A name or address with or without a port, and nothing of what else a URL may hold.
_HOST: Final = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?\Z")


class TrustedProxies:
    """WSGI middleware: takes caller, scheme and host from X-Forwarded-* where a trusted proxy sent them."""

    def __init__(self, app: WSGIApplication, proxies: Iterable[str]) -> None:
        """`proxies` are addresses or networks (`10.0.0.0/8`); InvalidSettings names what is neither."""
        self._app = app
        self._networks = [_network(proxy) for proxy in proxies]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve the request, seen as the first proxy that is not trusted (or the caller itself) sent it."""
        if self._trusts(environ.get("REMOTE_ADDR", "")):
            self._apply(environ)
        return self._app(environ, start_response)

    def _apply(self, environ: WSGIEnvironment) -> None:
        chain = [address.strip() for address in environ.get(_FORWARDED_FOR, "").split(",") if address.strip()]
        while chain:
            # Read from the right: what stands left of an address that is not trusted, the caller may have made up.
            environ["REMOTE_ADDR"] = chain.pop()
            if not self._trusts(environ["REMOTE_ADDR"]):
                break
        scheme = _last(environ.get(_FORWARDED_PROTO, ""))
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme
        if host := _last(environ.get(_FORWARDED_HOST, "")):
            environ["HTTP_HOST"] = host

    def _trusts(self, address: str) -> bool:
        return _matches(address, lambda parsed: any(parsed in network for network in self._networks))


def is_loopback_address(address: str) -> bool:
    """Whether an IP address is of this machine alone."""
    return _matches(address, lambda parsed: parsed.is_loopback)


def is_loopback_host(host: str) -> bool:
    """Whether a Host header (with or without a port) or a host to listen on names this machine alone."""
    match = _HOST.match(host)
    if match is None:
        return False
    return match["name"].lower() == "localhost" or is_loopback_address(match["name"].strip("[]"))


def _matches(address: str, test: Callable[[Any], bool]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return test(mapped or parsed)


def _network(proxy: str) -> Network:
    try:
        return ipaddress.ip_network(proxy, strict=False)
    except ValueError as error:
        raise InvalidSettings(problems=f"- KEYSTROKE_TRUSTED_PROXIES: {error}") from error


def _last(header: str) -> str:
    return header.rpartition(",")[2].strip()
