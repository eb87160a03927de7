"""The box: what it encrypts it reads again, with the key that the token names."""

from __future__ import annotations

import pytest

from keystroke.box import Box
from keystroke.domain.secrets import HOOK_TOKEN
from keystroke.errors import SecretUnreadable


def test_the_key_id_stands_in_front_and_names_the_key() -> None:
    old, new = Box(("old",)), Box(("new", "old"))
    token = old.encrypt("hunter2")
    assert token.startswith(f"{old.key_id}:")
    assert "hunter2" not in token
    assert new.decrypt(token) == "hunter2"
    assert new.encrypt("x").startswith(f"{Box(('new',)).key_id}:")


@pytest.mark.parametrize(
    "spoil", [lambda token: token[:-4], lambda token: "00000000:" + token, lambda _: "", str.upper]
)
def test_what_cannot_be_read_is_an_error(spoil: object) -> None:
    box = Box(("secret",))
    with pytest.raises(SecretUnreadable):
        box.decrypt(spoil(box.encrypt("hunter2")))  # type: ignore[operator]
    with pytest.raises(SecretUnreadable):
        Box(("another",)).decrypt(box.encrypt("hunter2"))


def test_a_fingerprint_is_keyed() -> None:
    assert Box(("a",)).fingerprint("x") == Box(("a",)).fingerprint("x") != Box(("b",)).fingerprint("x")


def test_a_hooks_token_is_the_same_as_long_as_its_key_is_here() -> None:
    old, new = Box(("old",)), Box(("new", "old"))
    token = old.hook_token("run_1", "hook:approval#0")
    assert HOOK_TOKEN.fullmatch(token)
    assert new.hook_token("run_1", "hook:approval#0", old.key_id) == token
    assert (
        new.hook_token("run_1", "hook:approval#0")
        == Box(("new",)).hook_token("run_1", "hook:approval#0")
        != token
    )
    others = {
        old.hook_token(run, step)
        for run, step in (("run_1", "hook:approval#1"), ("run_2", "hook:approval#0"))
    }
    assert len({token, *others}) == 3
    with pytest.raises(SecretUnreadable):
        Box(("new",)).hook_token("run_1", "hook:approval#0", old.key_id)
