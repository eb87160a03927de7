"""Secrets of a project: set, rotated and deleted, read by what verifies, and shown nowhere."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from keystroke.box import Box
from keystroke.domain.actor import LOCAL_OWNER
from keystroke.domain.source import SourceManifest
from keystroke.operations.put_secret import put_secret
from keystroke.operations.read_secrets import Secrets
from keystroke.operations.retention import delete_expired
from keystroke.operations.secret_health import secret_trouble
from keystroke.store import secrets as stored
from keystroke.store import sources
from keystroke.store.sql import Sql
from keystroke.verify import github, open_endpoint, standard_webhooks
from support.api import Api, assert_problem
from support.starts import GREET, Stage, publish
from support.triggers import fits

URL = "/projects/demo/secrets"
_ROWS = Sql("select * from secrets")
_AUDIT = Sql("select action, target, detail, actor_name from audit_log order by id")
_AGE = Sql("update secrets set previous_until = {now} - 1")


def put(api: Api, value: str, name: str = "SHOP", **options: Any) -> TestResponse:
    headers = options.pop("headers", {})
    client: FlaskClient = api.client
    return client.put(f"/api/v1{URL}/{name}", json={"value": value, **options}, headers=headers)


def shown(answer: TestResponse) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    document: Any = answer.json
    found: dict[str, Any] = document
    return found


def delete(api: Api, name: str = "SHOP", **options: Any) -> TestResponse:
    return api.client.delete(f"/api/v1{URL}/{name}", **options)


def listed(api: Api) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = fits(api, "/projects/{project}/secrets", "get", api.get(URL))["data"]
    return rows


def live(api: Api, name: str = "SHOP") -> list[str]:
    return list(api.services.secrets.live(api.stage.project.id, f"operator:{name}"))


def test_a_secret_is_set_listed_and_deleted_and_its_value_is_nowhere(api: Api) -> None:
    assert live(api) == []
    answer = put(api, "hush-hush-1")
    assert answer.status_code == 200, answer.text
    assert live(api) == ["hush-hush-1"], "at once, although its absence was just read"
    fits(api, "/projects/{project}/secrets/{name}", "put", answer)
    [row] = listed(api)
    assert row == answer.json
    assert row["created_at"] == row["updated_at"]
    assert (row["name"], row["set_by"], row["previous_until"]) == ("SHOP", LOCAL_OWNER.name, None)
    assert delete(api).status_code == 204
    assert live(api) == []
    assert listed(api) == []
    assert_problem(delete(api), 404, "secret-not-found")
    with api.stage.database.read() as tx:
        audit = [tuple(each) for each in tx.rows(_AUDIT)]
    assert audit == [
        ("secret.set", "demo/SHOP", None, LOCAL_OWNER.name),
        ("secret.delete", "demo/SHOP", None, LOCAL_OWNER.name),
    ]


def test_the_database_holds_no_value(api: Api) -> None:
    put(api, "hush-hush-1")
    put(api, "hush-hush-2")
    with api.stage.database.read() as tx:
        row = tx.rows(_ROWS)[0]
    assert "hush" not in str(row)
    assert [api.services.box.decrypt(token) for token in (row.value, row.previous)] == [
        "hush-hush-2",
        "hush-hush-1",
    ]


def test_the_value_before_stays_good_for_its_grace(api: Api) -> None:
    put(api, "first")
    rotated = shown(put(api, "second"))
    assert rotated["previous_until"] is not None
    assert live(api) == ["second", "first"]
    assert shown(put(api, "second"))["previous_until"] == rotated["previous_until"], (
        "the same again changes nothing"
    )
    assert live(api) == ["second", "first"]
    assert shown(put(api, "third"))["previous_until"] > rotated["previous_until"]
    assert live(api) == ["third", "second"], "two at once, not three"
    assert shown(put(api, "third", grace=0))["previous_until"] is None
    assert live(api) == ["third"], "without a grace the one before ends, also by the same value"
    put(api, "fourth", grace=0)
    assert live(api) == ["fourth"]


def test_the_value_before_ends_with_its_grace_and_is_then_erased(api: Api) -> None:
    put(api, "first")
    put(api, "second")
    with api.stage.database.transaction() as tx:
        tx.run(_AGE)
    api.services.secrets.forget(api.stage.project.id, "SHOP")
    assert live(api) == ["second"]
    assert listed(api)[0]["previous_until"] is None
    delete_expired(api.stage.database)
    with api.stage.database.read() as tx:
        assert tx.rows(_ROWS)[0].previous is None


def test_another_process_learns_of_a_change_within_a_second(stage: Stage) -> None:
    now = 0.0
    elsewhere = Secrets(stage.database, stage.box, {}, lambda: now)
    put_secret(stage.database, LOCAL_OWNER, stage.project, "SHOP", "first", stage.box)
    assert list(elsewhere.live(stage.project.id, "operator:SHOP")) == ["first"]
    with stage.database.transaction() as tx:
        stored.delete_secret(tx, stage.project.id, "SHOP")
    assert list(elsewhere.live(stage.project.id, "operator:SHOP")) == ["first"], "read a moment ago"
    now = 0.9
    assert list(elsewhere.live(stage.project.id, "operator:SHOP")) == []


def test_what_cannot_be_a_secret_is_refused_without_being_repeated(api: Api) -> None:
    for name, value, options in (
        ("1A", "hush", {}), ("A B", "hush", {}), ("x" * 101, "hush", {}), ("A", "", {}), ("A", "hush\n", {}),
        ("A", "hu\x00sh", {}), ("A", "\ud800hush", {}), ("A", "hush" * 3000, {}), ("A", "hush", {"grace": -1}),
        ("A", "hush", {"grace": 10**9}), ("A", "hush", {"more": 1}),
    ):  # fmt: skip
        answer = put(api, value, name, **options)
        assert answer.status_code in (400, 422), (name, value)
        assert "hush" not in answer.text
    assert listed(api) == []
    assert_problem(api.client.put(f"/api/v1{URL}/A", json={"value": ["hush"]}), 422)


def test_secrets_are_for_administrators_of_the_project(api: Api) -> None:
    publish(api.stage.database, GREET, digest="other", project="other")
    runner, elsewhere = api.key("runner"), api.key(project="other")
    for answer in (
        api.get(URL, headers=runner),
        put(api, "hush", headers=runner),
        delete(api, headers=runner),
    ):
        assert_problem(answer, 403, "role-too-low")
    for answer in (
        api.get(URL, headers=elsewhere), put(api, "hush", headers=elsewhere), delete(api, headers=elsewhere),
    ):  # fmt: skip
        assert_problem(answer, 404, "project-not-found")
    assert shown(put(api, "hush", headers=api.key()))["set_by"] == "admin of a test"


def test_variables_of_the_process_may_hold_several(stage: Stage) -> None:
    environ = {"SHOP": " whsec_bmV3\n whsec_b2xk "}
    secrets = Secrets(stage.database, stage.box, environ)
    assert list(secrets.of(stage.project.id)("env:SHOP")) == ["whsec_bmV3", "whsec_b2xk"]
    assert list(secrets.of(stage.project.id)("env:OTHER")) == []
    del environ["SHOP"]
    assert list(secrets.live(stage.project.id, "env:SHOP")) == []


def test_a_value_under_a_key_that_is_gone_verifies_nothing_and_is_announced(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    put_secret(stage.database, LOCAL_OWNER, stage.project, "SHOP", "hush", Box(("a key that got lost",)))
    secrets = Secrets(stage.database, stage.box, {})
    assert list(secrets.live(stage.project.id, "operator:SHOP")) == []
    put_secret(stage.database, LOCAL_OWNER, stage.project, "SHOP", "hush", stage.box)
    secrets.forget(stage.project.id, "SHOP")
    assert list(secrets.live(stage.project.id, "operator:SHOP")) == ["hush"], "a new value mends it"
    assert "hush" not in caplog.text


def test_what_is_wrong_with_a_webhooks_secret(stage: Stage) -> None:
    environ: dict[str, str] = {}
    secrets = Secrets(stage.database, stage.box, environ)

    def trouble(options: dict[str, Any]) -> str | None:
        manifest = SourceManifest("shop", "webhook", "Shop", options=options)
        with stage.database.transaction() as tx:
            source = sources.put_source(tx, stage.project.id, stage.claimant.deployment_id, manifest)
        return secret_trouble(source, secrets)

    assert trouble({"verify": github("env:SHOP").as_json()}) == (
        "The secret env:SHOP is not set: give the API process the environment variable SHOP."
    )
    assert trouble({"verify": github("operator:SHOP").as_json()}) == (
        "The secret operator:SHOP is not set: `keystroke secrets set SHOP` sets it."
    )
    put_secret(stage.database, LOCAL_OWNER, stage.project, "OLD", "hush", Box(("a key that got lost",)))
    assert trouble({"verify": github("operator:OLD").as_json()}) == (
        "The secret operator:OLD was encrypted with a key that is gone: `keystroke secrets set OLD` sets it anew."
    )
    environ["SHOP"] = "hush!"
    assert trouble({"verify": github("env:SHOP").as_json()}) is None
    assert trouble({"verify": standard_webhooks("env:SHOP").as_json()}) == (
        "The secret env:SHOP cannot serve: the secret is not written as whsec_ or whpk_ and base 64."
    )
    environ["SHOP"] = "hush! whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert trouble({"verify": standard_webhooks("env:SHOP").as_json()}) is None
    assert trouble({"verify": open_endpoint().as_json()}) is trouble({}) is None
