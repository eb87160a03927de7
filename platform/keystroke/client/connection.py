"""One connection to a server: requests under `/api/v1`, problem documents as errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from keystroke.client.events import Event, parse_events
from keystroke.domain.secrets import redact_tokens
from keystroke.errors import RequestRefused, ServerUnreachable

if TYPE_CHECKING:
    import httpx

Params = Mapping[str, str | Sequence[str]]
_NO_CONTENT: Final = 204
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Connection:
    """Sends JSON and reads JSON. httpx is imported with the first request: it would double the time of `--help`."""

    def __init__(self, base_url: str, api_key: str | None, name: str, timeout: float) -> None:
        """`name` goes into X-Keystroke-Client; `timeout` is in seconds."""
        self._base_url = base_url
        self._headers = {"X-Keystroke-Client": name} | (
            {"Authorization": f"Bearer {api_key}"} if api_key else {}
        )
        self._timeout = timeout

    def get(self, path: str, params: Params | None = None) -> Any:
        """The JSON answer to a GET."""
        return self._request("GET", path, params=params or {})

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Any:
        """The JSON answer to a POST of a JSON body. Never repeated by itself: it may have been carried out."""
        return self._request("POST", path, json=body, headers=dict(headers or {}))

    def put(self, path: str, body: Any) -> Any:
        """The JSON answer to a PUT of a JSON body."""
        return self._request("PUT", path, json=body)

    def patch(self, path: str, body: Any) -> Any:
        """The JSON answer to a PATCH of a JSON body."""
        return self._request("PATCH", path, json=body)

    def delete(self, path: str) -> None:
        """A DELETE, which is answered with nothing."""
        self._request("DELETE", path)

    def post_outside(self, path: str, body: Any) -> Any:
        """The same for a path that is not under `/api/v1`."""
        return self._request("POST", f"{self._base_url}{path}", json=body)

    def events(self, path: str, position: str | None) -> Iterator[Event]:
        """The events of a stream, from behind `position` on, until the server ends it."""
        import httpx

        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": position} if position else {})
        try:
            with self._http.stream("GET", path, headers=headers) as response:
                if not response.is_success:
                    response.read()
                    raise _refusal(self._base_url, response)
                yield from parse_events(response.iter_lines())
        except httpx.HTTPError as error:
            raise ServerUnreachable(url=self._base_url, why=str(error) or type(error).__name__) from error

    def close(self) -> None:
        """Close what was opened."""
        if "_http" in self.__dict__:
            self._http.close()

    @cached_property
    def _http(self) -> httpx.Client:
        import httpx

        # A proxy of the environment is for the world outside, never for the server on this machine.
        outside = urlsplit(self._base_url).hostname not in _LOOPBACK
        return httpx.Client(
            base_url=f"{self._base_url}/api/v1",
            headers=self._headers,
            timeout=self._timeout,
            trust_env=outside,
        )

    def _request(self, method: str, path: str, **options: Any) -> Any:
        import httpx

        try:
            response = self._http.request(method, path, **options)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServerUnreachable(url=self._base_url, why=str(error) or type(error).__name__) from error
        if response.is_success:
            return None if response.status_code == _NO_CONTENT else _json_of(response)
        raise _refusal(self._base_url, response)


def _json_of(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError as error:
        why = f"what answers there ({response.headers.get('content-type', 'no content type')}) is no Keystroke API"
        raise ServerUnreachable(url=redact_tokens(str(response.request.url)), why=why) from error


def _refusal(base_url: str, response: httpx.Response) -> RequestRefused:
    """The problem document as an error; what is no problem document (a proxy's page) is told by its status."""
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {}
    detail = problem.get("detail") or problem.get("title") or f"{base_url} answered {response.status_code}"
    return RequestRefused(status=response.status_code, detail=detail, problem=problem)
