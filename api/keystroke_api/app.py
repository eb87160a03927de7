"""The Flask app: every route, with what holds for all of them."""

from __future__ import annotations

from typing import Final

from flask import Flask

from keystroke.settings import Settings
from keystroke_api.addresses import TrustedProxies
from keystroke_api.mcp.endpoint import install_mcp
from keystroke_api.openapi import openapi_document
from keystroke_api.operation import View, operation_of, register
from keystroke_api.problems import install_problems
from keystroke_api.rest import (
    backfills,
    canceling,
    deliveries,
    deployments,
    events,
    firing,
    fleet,
    health,
    hooks,
    notifications,
    poll_states,
    reading,
    replaying,
    secrets,
    starting,
    triggers,
    workflows,
)
from keystroke_api.services import Services, install_services
from keystroke_api.traffic import install_traffic
from keystroke_api.ui.pages import install_pages
from keystroke_api.webhooks import install_webhooks, webhook_operations

_VIEWS: Final[tuple[View, ...]] = (
    starting.start_workflow, starting.start_batch, starting.start_default_workflow,
    workflows.list_projects, workflows.list_workflows, workflows.get_workflow,
    reading.list_runs, reading.get_run, reading.list_run_logs, reading.list_run_spans, canceling.cancel_run, replaying.replay_run,
    deployments.list_deployments, deployments.publish_deployment, deployments.activate_deployment, deployments.get_run_journal,
    events.follow_run, events.follow_runs, hooks.list_hooks, hooks.answer_hook,
    triggers.list_triggers, triggers.get_trigger, triggers.set_trigger, triggers.list_trigger_events,
    triggers.get_trigger_event, triggers.cancel_trigger_event, triggers.preview_trigger, firing.invoke, firing.dry_run,
    backfills.create_backfill, backfills.list_backfills, backfills.get_backfill, backfills.cancel_backfill,
    poll_states.get_poll_state, poll_states.put_poll_state,
    fleet.list_queues, fleet.pause_queue, fleet.resume_queue, fleet.list_workers, fleet.drain_worker,
    notifications.list_notifications,
    deliveries.list_deliveries, deliveries.get_delivery, deliveries.replay_delivery, deliveries.replay_deliveries,
    secrets.list_secrets, secrets.put_secret, secrets.delete_secret,
    health.healthz, health.readyz, health.openapi,
)  # fmt: skip


def create_app(settings: Settings) -> Flask:
    """The API as a WSGI app. InvalidSettings names what is missing; nothing is connected before the first request."""
    app = Flask("keystroke_api", static_folder=None)
    # Two slashes are no spelling of one: a redirect would lose the body of a start.
    app.url_map.merge_slashes = False
    app.wsgi_app = TrustedProxies(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign]
    install_services(app, Services.from_settings(settings))
    install_traffic(app)
    install_problems(app)
    operations = [operation_of(view) for view in _VIEWS]
    for each in operations:
        register(app, each)
    app.extensions[health.OPENAPI] = openapi_document([*operations, *webhook_operations()])
    install_webhooks(app)
    install_mcp(app)
    install_pages(app)
    return app
