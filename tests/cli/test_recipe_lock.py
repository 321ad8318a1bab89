"""The code behind a job is part of its fingerprint."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from xmodal_kedro.datasets import source_code

FILES = {
    "__init__.py": "",
    "jobs.py": "from invented.deep import helper\n\ndef job():\n    return helper.twice(1)\n",
    "deep/__init__.py": "",
    "deep/helper.py": "from . import base\nfrom .. import params\n\ndef twice(x):\n    return base.FACTOR * x\n",
    "deep/base.py": "FACTOR = 2  # twice\n",
    "params/__init__.py": "from .training import EPOCHS\n",
    "params/training.py": "EPOCHS = 3\n",
    "apart.py": "LIMIT = 1\n",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "invented"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "invented"]:
        del sys.modules[name]


def digest() -> str:
    source_code._closure_digest.cache_clear()
    return source_code.code_digest(importlib.import_module("invented.jobs").job)


@pytest.mark.parametrize("name", ["jobs.py", "deep/helper.py", "deep/base.py"])
def test_a_change_anywhere_behind_the_function_counts(package: Path, name: str) -> None:
    before = digest()
    (package / name).write_text(FILES[name].replace("1)", "3)").replace("* x", "+ x").replace("= 2", "= 4"))
    assert digest() != before


@pytest.mark.parametrize("name", ["apart.py", "params/__init__.py", "params/training.py"])
def test_code_that_it_does_not_use_and_typed_parameters_do_not_count(package: Path, name: str) -> None:
    before = digest()
    (package / name).write_text("CHANGED = True\n")
    assert digest() == before


def test_nothing_is_imported_to_find_the_code(package: Path) -> None:
    (package / "jobs.py").write_text("def job():\n    from invented.deep.base import FACTOR\n    return FACTOR\n")
    (package / "deep" / "base.py").write_text("raise RuntimeError('imported')\n")
    before = digest()
    (package / "deep" / "base.py").write_text("raise RuntimeError('imported again')\n")
    assert digest() != before


def test_comments_docstrings_and_layout_do_not_count(package: Path) -> None:
    before = digest()
    (package / "deep" / "base.py").write_text('"""Numbers."""\n# said otherwise\n\nFACTOR   =   2\n"""Twice."""\n')
    (package / "jobs.py").write_text(FILES["jobs.py"].replace("job():\n", 'job():\n    """Do it."""\n'))
    assert digest() == before


def test_a_built_in_has_no_code_to_hash() -> None:
    assert source_code.code_digest(bytes) == ""
