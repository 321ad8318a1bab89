"""The table of the fault matrix in `docs/reliability.md`, and the outcomes that it is made of."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from tests.faults.catalogue import FAULTS, STAGES, WHY_NOT, Fault
from tests.faults.cells import Outcome
from tests.project import PROJECT

PAGE = PROJECT / "docs" / "reliability.md"
BEGIN, END = "<!-- the fault matrix: written by `make faults` -->", "<!-- end of the fault matrix -->"
Outcomes = Mapping[str, Outcome]


def key_of(stage: str, fault: Fault) -> str:
    return f"{stage}, {fault.name}, {fault.storage}"


def render(outcomes: Outcomes) -> str:
    """The table, and below it one line for each fault as a run said it."""
    head = ["fault", "on", *(stage for stage in STAGES)]
    rows = [[fault.name, fault.storage, *(_cell(outcomes, stage, fault) for stage in STAGES)] for fault in FAULTS]
    table = [_line(head), _line(["---"] * len(head)), *map(_line, rows)]
    reasons = [f"- {letter}: {reason}." for letter, reason in WHY_NOT.items()]
    said = ["What a run says, once for each fault:", "", *_said(outcomes)]
    return "\n".join([BEGIN, "", *table, "", "Where a fault was not tried:", "", *reasons, "", *said, "", END])


def write_page(outcomes: Outcomes) -> None:
    """Put the table in its place on the page."""
    text = PAGE.read_text()
    PAGE.write_text(re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: render(outcomes), text, flags=re.DOTALL))


def shown_word(stage: str, fault: Fault) -> str:
    """What the page has of a cell."""
    row = next(line for line in PAGE.read_text().splitlines() if line.startswith(f"| {fault.name} | {fault.storage} |"))
    return row.strip("| ").split(" | ")[2 + STAGES.index(stage)]


def read_outcomes(path: Path) -> dict[str, Outcome]:
    """Outcomes as `write_outcomes` stored them; none if it did not."""
    return {key: Outcome(*each) for key, each in json.loads(path.read_text()).items()} if path.exists() else {}


def write_outcomes(path: Path, outcomes: Outcomes) -> None:
    path.write_text(json.dumps(outcomes, indent=1))


def _cell(outcomes: Outcomes, stage: str, fault: Fault) -> str:
    if stage not in fault.stages:
        return fault.why_not
    outcome = outcomes.get(key_of(stage, fault))
    return outcome.word if outcome else "?"


def _said(outcomes: Outcomes) -> list[str]:
    lines = []
    for fault in FAULTS:
        found = (outcomes.get(key_of(stage, fault)) for stage in fault.stages)
        line = next((outcome.line for outcome in found if outcome and outcome.line), "")
        if line:
            lines.append(f"- {fault.name}, {fault.storage}: `{line.replace('`', chr(39))}`")
    return lines


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
