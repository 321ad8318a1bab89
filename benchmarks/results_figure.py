"""The table and the figure on top of docs/results.md, from docs/results.csv.

python benchmarks/results_figure.py

A row of the file is a representation on a benchmark: network, hours of sound and what it learnt from, seeds, accuracy
and its standard deviation in percent, and the section of the page that has the command.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

DOCS = Path(__file__).parents[1] / "docs"
FIGURE = DOCS / "images" / "results.svg"
BEGIN, END = "<!-- benchmarks/results_figure.py writes this table -->", "<!-- up to here -->"
COLOURS = {"nothing": "#8a8a8a", "AudioSet": "#222222"}
LEARNT_COLOUR = "#0b6fa4"
ROW_INCHES, WIDTH_INCHES = 0.3, 7.5


def read_results() -> pd.DataFrame:
    """The rows of the file, those of a benchmark together."""
    return pd.read_csv(DOCS / "results.csv")


def table(results: pd.DataFrame) -> str:
    """The rows in Markdown."""
    lines = ["| benchmark | network | hours | learnt from | accuracy, % | |", "|---|---|---|---|---|---|"]
    for row in results.itertuples():
        over = "folds" if row.seeds == 1 else f"{row.seeds} seeds"
        hours = "" if pd.isna(row.hours) else f"{row.hours:g}"
        network = f"`{row.network}`" if row.network.islower() and " " not in row.network else row.network
        lines.append(
            f"| {row.benchmark} | {network} | {hours} | {row.learnt_from} | {row.accuracy:.1f} ± {row.deviation:.1f} "
            f"(over {over}) | [how](#{row.command}) |"
        )
    return "\n".join(lines)


def draw(results: pd.DataFrame) -> Figure:
    """A row for each representation: accuracy and standard deviation, one panel for each benchmark."""
    benchmarks = list(results["benchmark"].unique())
    heights = [int((results["benchmark"] == name).sum()) for name in benchmarks]
    figure = Figure((WIDTH_INCHES, ROW_INCHES * sum(heights) + 1.2), layout="constrained")
    panels = figure.subplots(len(benchmarks), 1, height_ratios=heights, squeeze=False)[:, 0]
    for panel, name in zip(panels, benchmarks, strict=True):
        rows = results[results["benchmark"] == name].reset_index(drop=True)
        for place, row in rows.iterrows():
            colour = COLOURS.get(row["learnt_from"], LEARNT_COLOUR)
            panel.errorbar(row["accuracy"], place, xerr=row["deviation"], fmt="o", color=colour, capsize=3)
        panel.set_yticks(rows.index, [f"{row.network}: {_source(row)}" for row in rows.itertuples()])
        panel.invert_yaxis()
        panel.grid(axis="x", alpha=0.3)
        panel.set_title(name, loc="left", fontweight="bold")
        panel.set_xlim(40, 100)
    figure.supxlabel("accuracy of a linear probe, percent, ± standard deviation")
    return figure


def _source(row: pd.Series) -> str:
    if row.learnt_from == "nothing":
        return "no training"
    return row.learnt_from if pd.isna(row.hours) else f"{row.hours:g} h, {row.learnt_from}"


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
