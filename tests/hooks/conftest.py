from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from tests.hooks.runs import Tracked, end_all
from tests.unsynced_sqlite import sync_no_sqlite

sync_no_sqlite()


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def tracked(tmp_path: Path, empty_store: Path) -> Iterator[Tracked]:
    before = mlflow.get_tracking_uri()
    yield Tracked(tmp_path / "project", empty_store)
    end_all()
    mlflow.set_tracking_uri(before)
