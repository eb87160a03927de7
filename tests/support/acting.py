"""What an API does, in a process of its own that may die of it: `python acting.py ACT ARGUMENT`, the acts being those of `main`.

Settings come from the environment. A start prints the run's id. Whoever calls it in a test asks what is on record afterwards.
"""

from __future__ import annotations

import sys
from typing import Final

from keystroke.box import Box
from keystroke.broker.wakeups import Wakeups
from keystroke.domain.actor import LOCAL_OWNER, Trigger
from keystroke.domain.post import Post
from keystroke.domain.scope import Scope
from keystroke.operations.answer_hook import answer_by_token
from keystroke.operations.cancel_run import cancel_run
from keystroke.operations.cancel_tick import cancel_tick
from keystroke.operations.receive_delivery import find_endpoint, receive_delivery
from keystroke.operations.start_run import StartedRun, StartRequest, start_run, start_runs
from keystroke.settings import Settings
from keystroke.store import Database, access

PROJECT: Final = "shop"


def main(act: str, argument: str) -> None:
    """Act once, and wake whom it concerns."""
    settings = Settings.load()
    database, box, wakeups = Database.from_settings(settings), Box(settings.secret_key), Wakeups(settings)
    with database.read() as tx:
        scope = access.local_scope(tx)
        project = access.get_project(scope, tx, PROJECT)
    request = StartRequest(argument, None, Trigger("api", "API"), LOCAL_OWNER)
    if act == "start":
        started = [start_run(database, project, request, settings, box)]
    elif act == "start-many":
        made = start_runs(database, project, [request, request], settings, box)
        started = [each for each in made if isinstance(each, StartedRun)]
    elif act == "post":
        endpoint = find_endpoint(database, project.organization, PROJECT, argument)
        post = Post("POST", {"idempotency-key": "the only one"}, {}, b"42")
        routed = receive_delivery(database, endpoint, post, settings, box, lambda _: ())
        wakeups.wake_all([queue for each in routed.started for queue in each.woken])
        print(routed.outcome, *routed.run_ids)
        return
    elif act == "answer":
        answer_by_token(database, argument, 42, "192.0.2.7", settings, box)
        return
    elif act == "cancel-tick":
        cancel_tick(database, Scope(project.organization_id), LOCAL_OWNER, argument)
        return
    else:
        cancel_run(database, scope, argument, LOCAL_OWNER, settings)
        return
    for each in started:
        wakeups.wake(each.project_id, each.queue)
        print(each.run_id)
    wakeups.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
