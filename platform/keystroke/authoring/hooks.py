"""Hooks as authors see them: a question to somebody outside, whose answer the run waits for."""

from __future__ import annotations

from typing import Protocol, TypeVar

Answer_co = TypeVar("Answer_co", covariant=True)


class Hook(Protocol[Answer_co]):
    """A hook of a `def` workflow. Send its `url` to whoever is to answer, then `wait`."""

    @property
    def token(self) -> str:
        """What the link ends in, and its only credential; the same one at every replay."""

    @property
    def url(self) -> str:
        """The link: a `POST` with the answer as JSON answers it, in a browser it shows a form."""

    def wait(self) -> Answer_co:
        """The validated answer; until it comes the run rests and holds no worker.

        Raises HookTimeout where nobody answers in time. An answer that came before is kept and used.
        """


class AsyncHook(Protocol[Answer_co]):
    """A hook of an `async def` workflow: `wait` is awaited."""

    @property
    def token(self) -> str:
        """What the link ends in, and its only credential; the same one at every replay."""

    @property
    def url(self) -> str:
        """The link: a `POST` with the answer as JSON answers it, in a browser it shows a form."""

    async def wait(self) -> Answer_co:
        """The validated answer; until it comes the run rests and holds no worker.

        Raises HookTimeout where nobody answers in time. An answer that came before is kept and used.
        """
