"""A few cells of the fault matrix, of which `make faults` runs all, and what its page says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.catalogue import FAULTS, STAGES, WHY_NOT
from tests.faults.cells import World
from tests.faults.page import shown_word
from tests.project import Project


@pytest.fixture(scope="module")
def world(small_run: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(tmp_path_factory.mktemp("world"), stack, small_run.folder / "data" / "sample")


@pytest.mark.parametrize("name", ["driver killed", "worker killed"])
def test_a_run_resumes_to_the_same_bytes(world: World, name: str) -> None:
    fault = next(fault for fault in FAULTS if (fault.name, fault.storage) == (name, "local"))
    outcome = world.run("ingest", fault)
    assert outcome.word == shown_word("ingest", fault)
    assert outcome.lines <= 2


def test_the_page_has_an_outcome_for_each_cell() -> None:
    words = {shown_word(stage, fault) for fault in FAULTS for stage in fault.stages}
    assert words <= {"goes on", "resumes", "fails, resumes"}
    for fault in FAULTS:
        rest = {shown_word(stage, fault) for stage in STAGES if stage not in fault.stages}
        assert rest <= {fault.why_not} & WHY_NOT.keys()


def test_outcomes_have_a_word(tmp_path: Path) -> None:
    from tests.faults.cells import Outcome
    from tests.faults.page import read_outcomes, write_outcomes

    outcomes = {
        "goes on": Outcome(0, "", 0, True),
        "resumes": Outcome(-9, "", 0, True),
        "fails, resumes": Outcome(1, "full", 1, True),
        "WRONG": Outcome(0, "", 0, False),
    }
    write_outcomes(tmp_path / "outcomes.json", outcomes)
    assert {word: outcome.word for word, outcome in read_outcomes(tmp_path / "outcomes.json").items()} == {
        word: word for word in outcomes
    }
