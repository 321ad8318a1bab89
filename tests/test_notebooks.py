"""The notebooks run from top to bottom on a finished project, and hold no outputs of anybody's."""

from __future__ import annotations

import shutil
from itertools import chain
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.project import PROJECT, Project

NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
PLOT = "application/vnd.plotly.v1+json"


FORGET = r"%reset_selective -f ^(?!(catalog|context|session|pipelines|get_ipython|In|Out)$|_)"
"""Leaves what Kedro gives to every notebook, which takes longest to load, and nothing of the notebook before."""


@pytest.fixture(scope="module")
def executed(small_run: Project) -> dict[str, list[Any]]:
    """The cells of every notebook after they have run, from the folder that they lie in."""
    folder = small_run.folder / "notebooks"
    shutil.copytree(PROJECT / "notebooks", folder)
    cells = {path.stem: nbformat.read(path, as_version=4).cells for path in sorted(folder.glob("*.ipynb"))}
    forget = (nbformat.v4.new_code_cell(FORGET) for _ in cells)
    whole = nbformat.v4.new_notebook(cells=[*chain.from_iterable((*of_it, next(forget)) for of_it in cells.values())])
    with pytest.MonkeyPatch.context() as patch:
        # Nothing but the project itself says where its code is.
        patch.delenv("PYTHONPATH", raising=False)
        patch.delenv("KEDRO_ENV", raising=False)
        NotebookClient(whole, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return cells


def shown(cells: list[Any]) -> list[dict[str, Any]]:
    """What cells display, by kind."""
    outputs = chain.from_iterable(cell.outputs for cell in cells if cell.cell_type == "code")
    return [output.data for output in outputs if output.output_type in ("display_data", "execute_result")]


def plots(cells: list[Any]) -> list[Any]:
    return [data[PLOT]["data"] for data in shown(cells) if PLOT in data]


def pages(cells: list[Any]) -> str:
    return "\n".join(data["text/html"] for data in shown(cells) if "text/html" in data)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_a_notebook_is_stored_valid_and_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[0].cell_type == "markdown"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert max(len(cell.source.splitlines()) for cell in code) <= 15, "what is longer belongs in src"
    assert not [cell for cell in code if "def " in cell.source], "what has a name belongs in src"


def test_all_notebooks_run(executed: dict[str, list[Any]]) -> None:
    names = {"look_at_labels", "compare_models", "listen", "own_classifier"}
    assert executed.keys() == names == {path.stem for path in NOTEBOOKS}


def test_labels_are_shown_in_plots_and_clips_to_see_and_hear(executed: dict[str, list[Any]]) -> None:
    cells = executed["look_at_labels"]
    assert len(plots(cells)) == 3
    assert "labels.agreeing_share" in pages(cells)
    assert pages(cells).count("<audio") >= 1


def test_runs_are_compared_by_accuracy_and_by_how_they_learnt(executed: dict[str, list[Any]]) -> None:
    cells = executed["compare_models"]
    accuracies, curves, confusion, _ = plots(cells)
    assert {"pretrained", "random", "log_mel"} == {trace["name"] for trace in accuracies}
    assert curves
    assert confusion[0]["type"] == "heatmap"
    assert "vggish_plus" in pages(cells)


def test_a_sound_is_shown_with_its_tags_and_its_neighbours(executed: dict[str, list[Any]]) -> None:
    cells = executed["listen"]
    spectrogram, tags = plots(cells)
    assert (spectrogram[0]["type"], tags[0]["type"]) == ("heatmap", "bar")
    assert pages(cells).count("<article") == 7
    assert pages(cells).count("alike</h2>") == 6


def test_a_classifier_is_made_and_used(executed: dict[str, list[Any]]) -> None:
    cells = executed["own_classifier"]
    confusion, curve = plots(cells)
    assert (confusion[0]["type"], curve[0]["type"]) == ("heatmap", "scatter")
    assert all(name in pages(cells) for name in ("crickets", "door_wood_knock", "water_drops"))
    *_, tagged = shown(cells)
    assert "crickets" in tagged["text/plain"]
