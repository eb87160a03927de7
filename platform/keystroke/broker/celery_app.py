"""The Celery app: one task, `work`, that is told nothing but that there is work.

No result backend, retries, times or priorities of Celery are used: those are rows. A message that is lost
costs two seconds (beat's sweep), one that comes twice costs an empty claim.
"""

from __future__ import annotations

from typing import Any, Final

from celery import Celery

from keystroke.settings import Settings

WORK: Final = "keystroke.work"
#: Seconds until a silent socket is given up; with Celery's defaults a half-open one hangs for good.
_SOCKET_TIMEOUT: Final = 5


def make_app(settings: Settings) -> Celery:
    """The app of a worker, a beat or a publisher."""
    app = Celery("keystroke", set_as_current=False, broker=settings.broker_url)
    app.conf.update(_CONFIGURATION)
    app.conf.broker_transport_options = {
        "socket_timeout": _SOCKET_TIMEOUT,
        "socket_connect_timeout": _SOCKET_TIMEOUT,
        "health_check_interval": _SOCKET_TIMEOUT,
        "global_keyprefix": f"{settings.key_prefix}:",
    }
    return app


def queue_name(settings: Settings, project_id: str, queue: str) -> str:
    """Celery's name of a project's queue."""
    return f"{settings.key_prefix}.{project_id}.{queue}"


_CONFIGURATION: Final[dict[str, Any]] = {
    "task_serializer": "json",
    "accept_content": ["json"],
    "task_ignore_result": True,
    "result_backend": None,
    "worker_send_task_events": False,
    "worker_enable_remote_control": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    # A message counts as taken while `work` runs, and a worker takes one per child: while all of its children
    # are busy it leaves the wake-ups to others.
    "task_acks_late": True,
    "worker_prefetch_multiplier": 1,
    "worker_pool_putlocks": False,
    "worker_enable_prefetch_count_reduction": False,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    # Results are ignored, so there is no reason to wait for those of a child that has died.
    "worker_lost_wait": 1.0,
}
