"""What webhooks are compared with: a Flask view that makes one durable INSERT, behind the same server.

gunicorn --threads 32 'bare_insert:make("postgresql://…")'
"""

from __future__ import annotations

import threading
from typing import Any

from flask import Flask, request
from sqlalchemy import create_engine, text


def make(url: str) -> Flask:
    """The app, on a table of its own."""
    sqlite = url.startswith("sqlite")
    engine = create_engine(
        url.replace("postgresql://", "postgresql+psycopg://"), pool_size=17, max_overflow=17
    )
    writing: Any = threading.Lock()
    with engine.begin() as connection:
        if sqlite:
            connection.exec_driver_sql("pragma journal_mode = wal")
        blob = "blob" if sqlite else "bytea"
        connection.exec_driver_sql(f"create table bare (id text primary key, body {blob} not null)")
    app = Flask("bare_insert")
    insert = text("insert into bare (id, body) values (:id, :body)")

    @app.post("/bare")
    def bare() -> Any:
        row = {"id": request.headers["webhook-id"], "body": request.get_data()}
        with writing if sqlite else threading.Lock(), engine.begin() as connection:
            if sqlite:
                connection.exec_driver_sql("pragma synchronous = full")
            connection.execute(insert, row)
        return {"ok": True}, 202

    return app
