"""The lock of recipes fits the code, and detects changes of code behind a recipe."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project import PROJECT
from xmodal_kedro.cli.recipe_lock import (
    LOCK_NAME,
    Lock,
    LockedRecipe,
    current_lock,
    module_digests,
    moved_recipes,
    read_lock,
    write_lock,
)
from xmodal_kedro.cli.recipes import describe_moved

FILES = {
    "__init__.py": "",
    "jobs.py": "from invented.deep import helper\n\ndef job():\n    return helper.twice(1)\n",
    "deep/__init__.py": "",
    "deep/helper.py": "from . import base\nfrom .. import errors\n\ndef twice(x):\n    return base.FACTOR * x\n",
    "deep/base.py": "FACTOR = 2  # twice\n",
    "errors/__init__.py": "LIMIT = 3\n",
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


def digest() -> dict[str, str]:
    return module_digests(importlib.import_module("invented.jobs").job.__module__)


@pytest.mark.parametrize("name", ["jobs.py", "deep/helper.py", "deep/base.py"])
def test_a_change_anywhere_behind_the_function_counts(package: Path, name: str) -> None:
    before = digest()
    (package / name).write_text(FILES[name].replace("1)", "3)").replace("* x", "+ x").replace("= 2", "= 4"))
    changed = {module for module, found in digest().items() if before[module] != found}
    assert changed == {"invented." + name.removesuffix(".py").replace("/", ".")}


@pytest.mark.parametrize("name", ["apart.py", "errors/__init__.py", "__init__.py"])
def test_code_that_it_does_not_use_or_that_makes_no_result_does_not_count(package: Path, name: str) -> None:
    before = digest()
    (package / name).write_text("CHANGED = True\n")
    assert digest() == before


def test_nothing_is_imported_to_find_the_code(package: Path) -> None:
    (package / "jobs.py").write_text("def job():\n    from invented.deep.base import FACTOR\n    return FACTOR\n")
    (package / "deep" / "base.py").write_text("raise RuntimeError(1)\n")
    before = digest()
    (package / "deep" / "base.py").write_text("raise RuntimeError(2)\n")
    assert digest() != before


def test_comments_docstrings_layout_and_texts_of_errors_and_logs_do_not_count(package: Path) -> None:
    text = 'logger = None\ndef check(x):\n    if x == "a":\n        raise ValueError(f"not {x}")\n'
    (package / "deep" / "base.py").write_text(text + '    logger.info("%s is good", x)\n')
    before = digest()
    reworded = text.replace('f"not {x}"', 'f"{x} is wrong: set b"').replace("def", '"""Check."""\n\n# x\ndef')
    (package / "deep" / "base.py").write_text(reworded + '    logger.info("%s will do", x)\n')
    assert digest() == before
    (package / "deep" / "base.py").write_text(reworded.replace('"a"', '"b"'))
    assert digest() != before


def test_the_lock_fits_the_code() -> None:
    stored, current = read_lock(PROJECT / LOCK_NAME), current_lock()
    moved = moved_recipes(stored, current)
    assert not moved, describe_moved(moved)
    assert stored == current, "recipes.lock does not fit the code: run `make recipes` and commit it"


def test_a_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    lock = Lock({"clip": LockedRecipe(2, "ab")}, {"xmodal_kedro.media.clipper": "cd"})
    write_lock(tmp_path / "lock", lock)
    assert read_lock(tmp_path / "lock") == lock
    assert read_lock(tmp_path / "none") == Lock({}, {})


def test_a_broken_lock_is_named(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("recipes: 3")
    with pytest.raises(ValueError, match=str(tmp_path / "lock")):
        read_lock(tmp_path / "lock")


def test_changed_code_is_named_unless_the_version_was_raised() -> None:
    current = current_lock()
    changed = dict(current.recipes)
    changed["clip"] = LockedRecipe(current.recipes["clip"].version, "other")
    modules = dict(current.modules) | {"xmodal_kedro.media.clipper": "other"}
    moved = moved_recipes(Lock(changed, modules), current)
    assert moved == {"clip": ["xmodal_kedro.media.clipper"]}
    assert "make recipes ACCEPT=1" in describe_moved(moved) and "version" in describe_moved(moved)
    changed["clip"] = LockedRecipe(current.recipes["clip"].version - 1, "other")
    assert moved_recipes(Lock(changed, modules), current) == {}
