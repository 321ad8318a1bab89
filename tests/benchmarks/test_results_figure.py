"""The table and the figure of docs/results.md are those of docs/results.csv."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.project import PROJECT


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    import results_figure

    yield results_figure


def test_the_page_has_the_table_and_sections_of_the_file(script: ModuleType) -> None:
    page = (PROJECT / "docs/results.md").read_text()
    results = script.read_results()
    assert page.count(f"{script.BEGIN}\n\n{script.table(results)}\n\n{script.END}") == 1
    headings = {
        re.sub(r"[^a-z0-9_ -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in page.splitlines()
        if line.startswith(("## ", "### "))
    }
    assert {result.command for result in results} <= headings


def test_the_figure_has_a_mark_for_each_row(script: ModuleType) -> None:
    results = script.read_results()
    panels = script.draw(results).axes
    assert {panel.get_title(loc="left") for panel in panels} == {result.benchmark for result in results}
    drawn = [float(bar.lines[0].get_xdata()[0]) for panel in panels for bar in panel.containers]
    assert drawn == [result.accuracy for result in results]
