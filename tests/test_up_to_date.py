"""A node is run again if, and only if, something that its outputs depend on has changed."""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from xmodal_kedro.datasets.files import JsonDataset
from xmodal_kedro.datasets.folder import FolderDataset
from xmodal_kedro.up_to_date import Notes, UpToDateRunner, digests
from xmodal_kedro.up_to_date import notes as noting


class World:
    """Numbers in a file, doubled in memory, summed into a file, and reported from the sum."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ran, self.params, self.broken = folder, [], {"factor": 2, "note": ""}, False
        self.set_numbers([1, 2, 3])

    def set_numbers(self, numbers: list[int]) -> None:
        (self.folder / "numbers.json").write_text(json.dumps(numbers))

    @property
    def catalog(self) -> DataCatalog:
        files = {name: JsonDataset(filepath=str(self.folder / f"{name}.json")) for name in ("numbers", "sum", "report")}
        catalog = DataCatalog(files)
        catalog["params:scale"] = self.params
        catalog["run_provenance"] = {"run": len(self.ran)}
        return catalog

    def double(self, numbers: list[int], scale: dict[str, Any]) -> list[int]:
        self.ran.append("double")
        return [scale["factor"] * number for number in numbers]

    def add(self, doubled: list[int]) -> int:
        self.ran.append("add")
        if self.broken:
            raise ValueError("broken")
        return sum(doubled)

    def report_sum(self, total: int, _: Any) -> str:
        self.ran.append("report")
        return f"the sum is {total // 10}0 or more"

    @property
    def pipeline(self) -> Pipeline:
        return Pipeline(
            [
                Node(self.double, ["numbers", "params:scale"], "doubled", name="double"),
                Node(self.add, "doubled", "sum", name="add"),
                Node(self.report_sum, ["sum", "run_provenance"], "report", name="report"),
            ]
        )

    def run(self, pipeline: Pipeline | None = None, catalog: DataCatalog | None = None) -> list[str]:
        """Names of the nodes that ran."""
        self.ran = []
        UpToDateRunner().run(pipeline or self.pipeline, catalog or self.catalog)
        return self.ran

    @property
    def report(self) -> str:
        return str(json.loads((self.folder / "report.json").read_text()))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(UpToDateRunner, "root", str(tmp_path))
    return World(tmp_path)


ALL = ["double", "add", "report"]


def test_nothing_is_run_again_while_nothing_changes(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert world.run() == ALL
    report = (world.folder / "report.json").stat()
    assert world.run() == []
    assert (world.folder / "report.json").stat() == report
    assert "3 of 3 nodes are up to date" in caplog.text and "SequentialRunner" in caplog.text


def write_anew(world: World) -> None:
    world.set_numbers([1, 2, 3])


def other_configuration(world: World) -> None:
    world.params["note"] = ""


@pytest.mark.parametrize("change", [write_anew, other_configuration])
def test_what_is_written_anew_with_the_same_content_is_no_change(world: World, change: Callable[[World], None]) -> None:
    world.run()
    change(world)
    assert world.run() == []


CHANGES: dict[str, tuple[Callable[[World], None], list[str]]] = {
    "an input": (lambda world: world.set_numbers([10, 20, 30]), ALL),
    "a parameter": (lambda world: world.params.update(factor=7), ALL),
    "an output is gone": (lambda world: (world.folder / "sum.json").unlink(), ["double", "add"]),
    "an output is another": (lambda world: (world.folder / "report.json").write_text('"nothing"'), ["report"]),
    "the note is broken": (lambda world: broken_note(world, "report", "{"), ["report"]),
    "the note is no mapping": (lambda world: broken_note(world, "report", "[]"), ["report"]),
    "the note is of another form": (lambda world: broken_note(world, "report", NO_NOTE), ["report"]),
}


NO_NOTE = json.dumps({"stamp": "", "outputs": {}, "files": {"place": "version"}})


def broken_note(world: World, node: str, content: str) -> None:
    (note,) = (world.folder / noting.FOLDER).glob(f"{node}-*.json")
    note.write_text(content)


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_is_run_again_with_what_follows(world: World, change: str) -> None:
    world.run()
    before = world.report
    change_it, ran = CHANGES[change]
    change_it(world)
    assert world.run() == ran
    assert world.run() == []
    if change == "an input":
        assert world.report == "the sum is 120 or more"
    elif change != "a parameter":
        assert world.report == before


def test_what_follows_an_equal_result_is_not_run(world: World) -> None:
    world.run()  # the sum is 12
    world.set_numbers([3, 2, 1])
    assert world.run() == ["double", "add"]


def test_a_node_in_memory_is_run_for_the_one_that_needs_it_alone(world: World) -> None:
    world.run()
    (world.folder / "sum.json").unlink()
    assert world.run() == ["double", "add"]
    (world.folder / "report.json").unlink()
    assert world.run() == ["report"]


def test_kedro_viz_records_its_runs() -> None:
    hooks_utils = pytest.importorskip("kedro_viz.integrations.kedro.hooks_utils")
    assert hooks_utils.is_sequential_runner({"runner": str(UpToDateRunner())})


def test_code_and_libraries_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run()
    monkeypatch.setattr(digests, "_package", lambda _: "other")
    assert world.run() == ALL


def test_a_run_that_fails_notes_what_was_done(world: World) -> None:
    world.broken = True
    with pytest.raises(ValueError, match="broken"):
        world.run()
    world.broken = False
    assert world.run() == ALL
    world.set_numbers([5])
    world.broken = True
    with pytest.raises(ValueError, match="broken"):
        world.run()
    world.set_numbers([1, 2, 3])
    world.broken = False
    assert world.run() == []  # the sum of before is still there, and right


def test_without_a_place_for_notes_everything_is_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UpToDateRunner, "root", "")
    assert world.run() == world.run() == ALL


def test_other_places_have_notes_of_their_own(world: World) -> None:
    world.run()
    other = world.catalog
    other["report"] = JsonDataset(filepath=str(world.folder / "other.json"))
    assert world.run(catalog=other) == ["report"]
    assert world.run() == world.run(catalog=other) == []


def test_a_node_without_outputs_or_with_outputs_that_nobody_stores_is_run(world: World) -> None:
    nodes = [Node(lambda _: world.ran.append("shown"), "sum", None, name="show"), Node(world.add, "numbers", "free")]
    pipeline = world.pipeline + Pipeline(nodes)
    assert sorted(world.run(pipeline)) == ["add", "add", "double", "report", "shown"]
    assert sorted(world.run(pipeline)) == ["add", "shown"]


def test_notes_that_cannot_be_kept_end_no_run(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "it is another user's")

    world.run()
    for name in ("read_json", "write_json"):
        monkeypatch.setattr(noting, name, refuse)
    assert world.run() == ALL
    assert "report will be run again even if nothing changes" in caplog.text and "another user's" in caplog.text


def test_a_file_has_one_content_under_all_its_names(world: World) -> None:
    """What an earlier run left is read under another name, and another node of the same run writes it anew."""
    catalog = world.catalog
    catalog["earlier"] = JsonDataset(filepath=str(world.folder / "sum.json"))
    catalog["copy"] = JsonDataset(filepath=str(world.folder / "copy.json"))
    (world.folder / "sum.json").write_text("0")
    copies = [Node(lambda total: total, "earlier", "copy", name="copy")]
    early = Node(lambda _: None, "earlier", None, name="a_early")
    notes = Notes(Pipeline([*world.pipeline.nodes, *copies, early]), catalog, str(world.folder))
    before = notes.stamp(copies[0])
    catalog["sum"].save(7)
    notes.write(world.pipeline.nodes[1], "stamp")
    assert notes.stamp(copies[0]) not in (before, None)


def test_a_function_whose_code_cannot_be_read_is_run(world: World) -> None:
    exec(compile("def half(total): return total / 2", "<a cell>", "exec"), cell := {})
    catalog = world.catalog
    for name in ("half", "length"):
        catalog[name] = JsonDataset(filepath=str(world.folder / f"{name}.json"))
    nodes = [Node(cell["half"], "sum", "half"), Node(len, "numbers", "length")]
    for _ in range(2):
        world.run(world.pipeline + Pipeline(nodes), catalog)
        assert not list((world.folder / noting.FOLDER).glob("*half*"))
        assert json.loads((world.folder / "half.json").read_text()) == 6
        (world.folder / "half.json").write_text("0")


def scaled(numbers: list[int], by: int) -> int:
    return by * sum(numbers)


def test_arguments_of_a_partial_function_count(world: World) -> None:
    for by in (2, 3):
        function = partial(scaled, by=by)
        UpToDateRunner().run(Pipeline([Node(function, "numbers", "sum", name="scale")]), world.catalog)
        assert json.loads((world.folder / "sum.json").read_text()) == 6 * by


def test_a_node_of_a_long_name_has_a_note(world: World) -> None:
    pipeline = Pipeline([Node(world.add, "numbers", "sum", name=length * "x") for length in [240]])
    assert [world.run(pipeline), world.run(pipeline)] == [["add"], []]


def test_what_is_chosen_beside_an_input_counts_as_an_output(world: World) -> None:
    """A node that takes a model of the hub records which one beside its labels: without the record it chooses anew."""
    note = world.folder / "chosen.json"
    catalog = world.catalog
    catalog["teacher"] = FolderDataset(path=str(world.folder / "none"), optional=True, note=str(note))

    def choose(folder: Any) -> int:
        world.ran.append("choose")
        folder.note.write({"commit": "1"})
        return 1

    pipeline = Pipeline([Node(choose, "teacher", "sum", name="choose")])
    assert [world.run(pipeline, catalog), world.run(pipeline, catalog)] == [["choose"], []]
    note.unlink()
    assert [world.run(pipeline, catalog), world.run(pipeline, catalog)] == [["choose"], []]


def test_forgotten_nodes_are_run(world: World) -> None:
    world.run()
    Notes(world.pipeline, world.catalog, str(world.folder)).forget()
    assert world.run() == ALL


def test_where_shards_are_made_is_no_reason_to_make_them_again(world: World) -> None:
    ran = []
    for engine, optional in [("threading", True), ("loky", True), ("loky", False)]:
        catalog = world.catalog
        folder = FolderDataset(path=str(world.folder), optional=optional, engine={"backend": engine})
        catalog["folder"] = folder
        folder.content = lambda: "the same"  # type: ignore[method-assign]
        ran.append(
            world.run(
                Pipeline(
                    [Node(lambda *_: world.ran.append("report") or 1, ["numbers", "folder"], "report", name="report")]
                ),
                catalog,
            )
        )
    assert ran == [["report"], [], ["report"]]
