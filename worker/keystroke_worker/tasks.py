"""The one task of the fleet. It is told nothing: which run is next, the database says."""

from __future__ import annotations

from celery import Celery

from keystroke.broker.celery_app import WORK
from keystroke_worker import here


def work_here() -> None:
    """Have this child claim and execute runs until none is left."""
    here.current_child().work()


def add_tasks(app: Celery) -> None:
    """Register `work` with the app of a worker."""
    app.task(name=WORK, ignore_result=True)(work_here)
