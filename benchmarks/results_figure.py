"""The table and the figure on top of docs/results.md, from docs/results.csv.

python benchmarks/results_figure.py

A row of the file is a representation on a benchmark: network, hours of sound and what it learnt from, seeds, accuracy
and its standard deviation in percent, and the section of the page that has the command.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

DOCS = Path(__file__).parents[1] / "docs"
FIGURE = DOCS / "images" / "results.svg"
BEGIN, END = "<!-- benchmarks/results_figure.py writes this table -->", "<!-- up to here -->"
COLOURS = {"nothing": "#8a8a8a", "AudioSet": "#222222"}
LEARNT_COLOUR = "#0b6fa4"
ROW_INCHES, WIDTH_INCHES = 0.3, 7.5


@dataclass(frozen=True)
class Result:
    """A row of the file; `hours` is empty for a teacher, which others trained."""

    benchmark: str
    network: str
    hours: str
    learnt_from: str
    seeds: int
    accuracy: float
    deviation: float
    command: str


def read_results() -> list[Result]:
    """The rows of the file, those of a benchmark together."""
    numbers = {"seeds": int, "accuracy": float, "deviation": float}
    with (DOCS / "results.csv").open() as stream:
        return [
            Result(**{name: numbers.get(name, str)(value) for name, value in row.items()})
            for row in csv.DictReader(stream)
        ]


def table(results: Sequence[Result]) -> str:
    """The rows in Markdown."""
    lines = ["| benchmark | network | hours | learnt from | accuracy, % | |", "|---|---|---|---|---|---|"]
    for row in results:
        over = "folds" if row.seeds == 1 else f"{row.seeds} seeds"
        network = f"`{row.network}`" if row.network.islower() and " " not in row.network else row.network
        lines.append(
            f"| {row.benchmark} | {network} | {row.hours} | {row.learnt_from} "
            f"| {row.accuracy:.1f} ± {row.deviation:.1f} (over {over}) | [how](#{row.command}) |"
        )
    return "\n".join(lines)


def draw(results: Sequence[Result]) -> Figure:
    """A row for each representation: accuracy and standard deviation, one panel for each benchmark."""
    by_benchmark: dict[str, list[Result]] = {}
    for result in results:
        by_benchmark.setdefault(result.benchmark, []).append(result)
    heights = [len(rows) for rows in by_benchmark.values()]
    figure = Figure((WIDTH_INCHES, ROW_INCHES * sum(heights) + 1.2), layout="constrained")
    panels = figure.subplots(len(by_benchmark), 1, height_ratios=heights, squeeze=False)[:, 0]
    for panel, (name, rows) in zip(panels, by_benchmark.items(), strict=True):
        for place, row in enumerate(rows):
            colour = COLOURS.get(row.learnt_from, LEARNT_COLOUR)
            panel.errorbar(row.accuracy, place, xerr=row.deviation, fmt="o", color=colour, capsize=3)
        panel.set_yticks(range(len(rows)), [f"{row.network}: {_source(row)}" for row in rows])
        panel.invert_yaxis()
        panel.grid(axis="x", alpha=0.3)
        panel.set_title(name, loc="left", fontweight="bold")
        panel.set_xlim(30, 100)
    figure.supxlabel("accuracy of a linear probe, percent, ± standard deviation")
    return figure


def _source(row: Result) -> str:
    if row.learnt_from == "nothing":
        return "no training"
    return f"{row.hours} h, {row.learnt_from}" if row.hours else row.learnt_from


def main() -> None:
    results = read_results()
    page = (DOCS / "results.md").read_text()
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    (DOCS / "results.md").write_text(f"{before}{BEGIN}\n\n{table(results)}\n\n{END}{after}")
    # With texts as texts, and the same names at each run.
    with mpl.rc_context({"svg.hashsalt": "results", "svg.fonttype": "none", "font.size": 9}):
        draw(results).savefig(FIGURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
