from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from tests.hooks.runs import Tracked, end_all


@pytest.fixture
def tracked(tmp_path: Path, empty_store: Path) -> Iterator[Tracked]:
    before = mlflow.get_tracking_uri()
    yield Tracked(tmp_path / "project", empty_store)
    end_all()
    mlflow.set_tracking_uri(before)
