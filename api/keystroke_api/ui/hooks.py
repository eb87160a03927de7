"""`/hooks`: what runs wait for, each with the form that answers it; the same form stands on the run's own page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import Response, redirect, request

from keystroke.clock import to_micros
from keystroke.domain.asking import Asking, AskingStatus
from keystroke.errors import (
    HookAnswered,
    HookEnded,
    HookExpired,
    InvalidInput,
    KeystrokeError,
    NotJson,
    PathError,
    PayloadTooLarge,
)
from keystroke.operations.api_keys import Principal
from keystroke.store import answers
from keystroke_api.refusals import InvalidRequest
from keystroke_api.rest.hooks import HooksQuery, answer_as
from keystroke_api.services import services
from keystroke_api.ui.address import Address
from keystroke_api.ui.answer_form import AnswerForm
from keystroke_api.ui.contexts import Empty, HookPage, HookRow, HooksPage
from keystroke_api.ui.notices import leave_notice, take_notice
from keystroke_api.ui.returning import way_back
from keystroke_api.ui.showing import now_micros, show

_MOST: Final = 50
_EMPTY: Final = Empty(
    "Nothing waits for an answer.",
    "A workflow asks with ctx.hook(…): its run waits here, and at the link that it sends out, until somebody answers.",
    None,
    "",
)
#: Why a hook takes no answer.
SENTENCES: Final[Mapping[AskingStatus, str]] = {
    AskingStatus.WAITING: "",
    AskingStatus.ANSWERED: "It has been answered already; the first answer counts.",
    AskingStatus.EXPIRED: "The time to answer it is over.",
    AskingStatus.ENDED: "The run that asked has ended. No answer is needed any more.",
}
#: What cannot be answered any more, however well the answer is put.
TOO_LATE: Final = (HookAnswered, HookExpired, HookEnded)
#: What is wrong with the answer itself, and can be mended.
MENDABLE: Final = (InvalidInput, NotJson, PayloadTooLarge)


def hooks_page(caller: Principal) -> Response:
    """The hooks that want an answer, newest first."""
    address = Address.current()
    cursor = address.values("cursor")[:1]
    if cursor and not _is_cursor(cursor[0]):
        raise InvalidRequest(what="query", errors=[PathError("$.cursor", "is no cursor of this list")])
    before = f"hook_{cursor[0]}" if cursor else None
    with services().database.read() as tx:
        found = answers.list_hooks(
            caller.scope, tx, status=AskingStatus.WAITING, before=before, limit=_MOST + 1
        )
    older = (
        str(address.with_("cursor", found[_MOST - 1].hook.id.removeprefix("hook_")))
        if len(found) > _MOST
        else None
    )
    page = HooksPage(
        rows=[hook_row(asking) for asking in found[:_MOST]], newest_url="/hooks" if cursor else None, older_url=older,
        empty=None if found else _EMPTY, notice=take_notice(),
    )  # fmt: skip
    return show("hooks.html", page, title="Hooks", section="hooks")


def hook_page(caller: Principal, hook_id: str) -> Response:
    """One hook, with its form while it takes an answer."""
    with services().database.read() as tx:
        return _shown(answers.get_hook(caller.scope, tx, hook_id))


def answer_from_page(caller: Principal, hook_id: str) -> Response:
    """Answer with what was entered; where it does not fit, the form comes back with it and says why."""
    with services().database.read() as tx:
        asking = answers.get_hook(caller.scope, tx, hook_id)
    form = AnswerForm(asking.hook.schema)
    value, by_field = form.value(request.form)
    whole: list[str] = []
    if not by_field:
        try:
            answer_as(caller, hook_id, value)
        except TOO_LATE as late:
            return leave_notice(redirect(_back(), 303), str(late))
        except MENDABLE as refused:
            by_field, whole = what_is_wrong(form, refused)
        else:
            return leave_notice(redirect(_back(), 303), "Answered. The run goes on.")
    return _shown(asking, request.form, by_field, whole)


def hooks_of(caller: Principal, run_id: str) -> list[HookRow]:
    """The hooks of a run that want an answer."""
    with services().database.read() as tx:
        found = answers.list_hooks(caller.scope, tx, status=AskingStatus.WAITING, run_id=run_id, limit=_MOST)
    return [hook_row(asking) for asking in found]


def hook_row(
    asking: Asking,
    entered: Mapping[str, str] | None = None,
    by_field: Mapping[str, list[str]] | None = None,
    whole: list[str] | None = None,
) -> HookRow:
    """A hook with its form, empty or as it was entered."""
    hook, takes = asking.hook, asking.status is AskingStatus.WAITING
    asked = to_micros(hook.created_at)
    return HookRow(
        hook=asking.as_json(), title=title_of(hook.name), about=str(hook.schema.get("description", "")),
        fields=AnswerForm(hook.schema).fields(entered, by_field) if takes else [], errors=whole or [],
        url=f"/hooks/{hook.id}/answer", run_url=f"/history/{hook.run_id}", age_ms=(now_micros() - asked) // 1000,
    )  # fmt: skip


def title_of(name: str) -> str:
    """`budget_approval` as "Budget approval"."""
    words = name.replace("_", " ").replace("-", " ").strip() or name
    return words[:1].upper() + words[1:]


def what_is_wrong(form: AnswerForm, refused: KeystrokeError) -> tuple[dict[str, list[str]], list[str]]:
    """What the form says of a refused answer: by field, and of the whole."""
    return form.explained(refused) if isinstance(refused, InvalidInput) else ({}, [str(refused)])


def _shown(asking: Asking, entered: Mapping[str, str] | None = None, *wrong: Any) -> Response:
    row = hook_row(asking, entered, *wrong)
    page = HookPage(row, SENTENCES[asking.status])
    status = 200 if entered is None else 422
    return show("hook.html", page, title=row.title, section="hooks", status=status)


def _back() -> str:
    """Where the form was sent from: the run's page, or the list."""
    return way_back("/hooks")


def _is_cursor(text: str) -> bool:
    try:
        HooksQuery.model_validate({"cursor": text})
    except ValueError:
        return False
    return True
