"""Fixtures shared by the tests of several packages."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from tests.command_server import REFUSED, folder_of
from tests.project import PROJECT, SMALL_WORLD, Project
from tests.unsynced_sqlite import sync_no_sqlite
from xmodal_kedro import masking

FIRST_RUN_STATUS = "first_run.viz"
"""Folder in which `small_run` keeps Kedro-Viz's files of its first run."""
SLOWEST_FIRST = (
    "test_main_line.py",  # makes `small_run`, so other processes need not wait for it
    "test_dvc_commands.py",
    "training/test_launch.py",
    "formats/test_formats.py",
    "test_dvc.py",  # from here on, `small_run` is made
    "test_cluster.py",
    "review/test_precision_in_draws.py",
    "hooks/test_server.py",
    "review/test_page.py",
    "test_notebooks.py",
    "test_hub_line.py",
    "test_upgrade.py",
    "training/test_loop.py",
    "faults/test_matrix.py",
    "pipelines/test_transfer_eval.py",
    "pipelines/test_adapt.py",
    "hooks/test_unfinished.py",
    "media/test_still_picture.py",
    "media/shots/test_boundaries.py",
    "models/test_export.py",
    "reports/test_in_browser.py",
    "media/test_on_screen.py",
    "models/test_models.py",
    "teachers/test_labelling.py",
    "labels/test_human_labels.py",
    "test_startup.py",
    "media/test_flash_beep.py",
    "media/test_exactness.py",
    "pipelines/test_own_classes.py",
    "dedup/test_groups.py",
)
"""Slow test files, which start first so that none is left when the other processes are done."""

# Before torch is loaded: on networks as small as those of tests, more threads spin more than they work.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("no_deadline", deadline=None)  # a busy machine must not fail a test
settings.load_profile("no_deadline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {PROJECT / "tests" / name: number for number, name in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many commands loaded all libraries anew: a few do for a reason, and hundreds would take minutes."""
    sessions = getattr(config.pluginmanager.getplugin("dsession"), "nodemanager", None)
    refused = Path(f"{folder_of(getattr(sessions, 'testrunuid', str(os.getpid())))}{REFUSED}")
    if refused.exists():
        lines = refused.read_text().splitlines()
        names = ", ".join(sorted({name for line in lines for name in line.split()}))
        terminalreporter.write_line(
            f"{len(lines)} commands were no forks, as these variables are read at load: {names}"
        )
        refused.unlink()


def kept_environment() -> Iterator[None]:
    """Undo at the end what was done to the environment, so that commands fit the server of `command_server.py`.

    The tested code and its libraries set variables. A command that has one which the server had not as it started
    cannot be a fork of it: it loads all libraries anew, for seconds.
    """
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before.items() - os.environ.items())


# Of a module too, for what its own fixtures do.
no_variable_of_other_modules = pytest.fixture(autouse=True, scope="module")(kept_environment)
no_variable_of_other_tests = pytest.fixture(autouse=True)(kept_environment)


@pytest.fixture(autouse=True)
def no_secret_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the secrets that a test gives, as the process masks them in every text from then on."""
    monkeypatch.setattr(masking, "_secrets", copy.deepcopy(masking._secrets))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real recordings, from `XMODAL_REAL_DATA` or beside the project; tests that need it skip without it."""
    folder = Path(os.environ.get("XMODAL_REAL_DATA", PROJECT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings at {folder}: set XMODAL_REAL_DATA to run this test")
    return folder


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all test processes of a session have in common."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of MLflow without a run, a SQLite file to copy, since MLflow takes seconds to make one."""
    from mlflow.tracking import MlflowClient

    sync_no_sqlite()
    made = shared_folder(tmp_path_factory) / "empty_store.db"
    with FileLock(made.with_suffix(".lock")):
        if not made.exists():
            making = made.with_suffix(".making")
            MlflowClient(f"sqlite:///{making}").search_experiments()
            making.rename(made)
    return made


@pytest.fixture(scope="session")
def made_small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which `kedro run --env sample` has run once, on a small world; its output is in `first_run.log`.

    Test processes share it, so nothing may change it: copy it first.
    """
    made = shared_folder(tmp_path_factory) / "made_small_run"
    with FileLock(made.with_suffix(".lock")):
        if not (made / FIRST_RUN_STATUS).exists():
            shutil.rmtree(made, ignore_errors=True)  # left by a failed run
            project = Project(made, SMALL_WORLD)
            done = project.run("kedro", "run", "--env", "sample")
            assert done.returncode == 0, done.stderr
            (made / "first_run.log").write_text(done.stdout)
            shutil.copytree(made / ".viz", made / FIRST_RUN_STATUS)
    return made


@pytest.fixture(scope="session")
def small_run(made_small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of that project for one test process, whose tests may change it."""
    own = tmp_path_factory.mktemp("small_run") / "project"
    shutil.copytree(made_small_run, own)
    return Project.of(own)
