"""Fixtures that several packages' tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real recordings, from `XMODAL_REAL_DATA` or beside the project; tests that need it skip without it."""
    folder = Path(os.environ.get("XMODAL_REAL_DATA", PROJECT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings at {folder}: set XMODAL_REAL_DATA to run this test")
    return folder
