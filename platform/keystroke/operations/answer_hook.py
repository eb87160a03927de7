"""Answer a hook: check the answer against the hook's schema, keep it, and queue the run if it rests for it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from keystroke.box import Box
from keystroke.crashpoints import crash_point
from keystroke.domain.actor import LINK_HOLDER, Actor
from keystroke.domain.asking import Asking, AskingStatus
from keystroke.domain.payload import encode_payload
from keystroke.domain.scope import Scope
from keystroke.domain.secrets import HOOK_TOKEN
from keystroke.domain.states import ANSWER
from keystroke.errors import HookAnswered, HookEnded, HookExpired, HookNotFound, KeystrokeError
from keystroke.operations.check_input import check_answer, seal_answer
from keystroke.operations.moving import move_run
from keystroke.settings import Settings
from keystroke.store import Database, Tx, access, answers
from keystroke.store.answers import Answer

_REFUSALS: Final[dict[AskingStatus, type[KeystrokeError]]] = {
    AskingStatus.ANSWERED: HookAnswered, AskingStatus.EXPIRED: HookExpired, AskingStatus.ENDED: HookEnded,
}  # fmt: skip
#: How a hook is called where nothing may be told of it.
_UNKNOWN: Final = "under this link"


@dataclass(frozen=True, slots=True)
class AnswerTaken:
    """An answer that is committed, and the hook as it is now.

    Wake the queues in `woken`, (project id, queue): the run goes on. An answer to a run that does not rest for it wakes none.
    """

    asking: Asking
    woken: tuple[tuple[str, str], ...] = ()


def find_asking(database: Database, token: str) -> Asking:
    """The hook of a token, in whatever state. Raises HookNotFound, which does not repeat the token."""
    if HOOK_TOKEN.fullmatch(token) is None:
        raise HookNotFound(hook=_UNKNOWN)
    with database.read() as tx:
        # By its hash: comparing takes no time that depends on the token.
        asking = answers.hook_by_token(tx, hashlib.sha256(token.encode()).hexdigest())
    if asking is None:
        raise HookNotFound(hook=_UNKNOWN)
    return asking


def answer_by_token(
    database: Database, token: str, value: Any, origin: str | None, settings: Settings, box: Box
) -> AnswerTaken:
    """Answer as whoever holds the link, from the address `origin`.

    Raises HookNotFound, HookAnswered, HookExpired, HookEnded; InvalidAnswer, NotJson and PayloadTooLarge leave it waiting.
    """
    return _answer(database, find_asking(database, token), value, LINK_HOLDER, origin, settings, box)


def answer_by_id(
    database: Database, scope: Scope, hook_id: str, value: Any, actor: Actor, origin: str | None, settings: Settings, box: Box
) -> AnswerTaken:  # fmt: skip
    """Answer as somebody who was identified; the hook has to lie in his scope. Raises what `answer_by_token` does."""
    with database.read() as tx:
        asking = answers.get_hook(scope, tx, hook_id)
    return _answer(database, asking, value, actor, origin, settings, box)


def _answer(
    database: Database, asking: Asking, value: Any, actor: Actor, origin: str | None, settings: Settings, box: Box
) -> AnswerTaken:  # fmt: skip
    """Check first, since that may take its time, then decide under the lock, where nothing can change any more."""
    _refuse_unless_waiting(asking)
    name, schema = asking.hook.name, asking.hook.schema
    check_answer(name, schema, value)
    plain = encode_payload(value, what="answer", limit=settings.payload_limit)
    text = encode_payload(seal_answer(name, schema, value, plain, box), what="answer")
    with database.transaction() as tx:
        taken = _keep(tx, asking, Answer(text, actor, origin))
        crash_point("hook-answering")
    crash_point("hook-answered")
    return taken


def _keep(tx: Tx, seen: Asking, answer: Answer) -> AnswerTaken:
    asking = answers.lock_hook(tx, seen)
    if asking is None:
        raise HookNotFound(hook=seen.hook.id)
    _refuse_unless_waiting(asking)
    if not answers.put_answer(tx, asking.hook.id, answer):
        raise HookExpired(hook=asking.hook.name)  # between the look at it and now
    access.audit(tx, asking.organization_id, answer.actor, "hook.answer", asking.hook.id, answer.origin)
    woken: tuple[tuple[str, str], ...] = ()
    if asking.hook.awaited:
        moved = move_run(tx, ANSWER, asking.hook.run_id, actor=answer.actor)
        woken = () if moved is None else ((moved.project_id, moved.queue), *moved.woken)
    answered = answers.lock_hook(tx, asking)
    assert answered is not None, "its run's row is locked"
    return AnswerTaken(answered, woken)


def _refuse_unless_waiting(asking: Asking) -> None:
    refusal = _REFUSALS.get(asking.status)
    if refusal is not None:
        raise refusal(hook=asking.hook.name)
