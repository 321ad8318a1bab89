"""SQLite without waits for the disk: what a killed process has committed stays; only a machine that fails loses it."""

from __future__ import annotations

import sqlite3
from typing import Any


def sync_no_sqlite() -> None:
    """Leave out `fsync` on every SQLite database that SQLAlchemy opens in this process, such as MLflow's."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    @event.listens_for(Engine, "connect")
    def set_up(connection: Any, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous=OFF")
