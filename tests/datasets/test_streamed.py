"""A table that is written in a stream."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from kedro.io import DatasetError

from tests.datasets.saving import runs
from xmodal_kedro.datasets.streamed import StreamedCsvDataset
from xmodal_kedro.recipes import recipe


@recipe("pieces of test_streamed", version=1)
def pieces(number: int, log: str, fails: bool = False) -> Iterator[bytes]:
    with Path(log).open("a") as stream:
        stream.write(f"{number}\n")
    yield b"number "
    if fails:
        raise ValueError("broken off")
    yield str(number).encode()


def test_a_file_is_written_and_not_again_while_its_job_stays_the_same(tmp_path: Path) -> None:
    log, saved = tmp_path / "log", StreamedCsvDataset(filepath=str(tmp_path / "out" / "table.csv"))
    assert not saved.exists()
    for number in (1, 1, 2):
        saved.save(partial(pieces, number, str(log)))
    assert runs(log) == [1, 2]
    assert saved.load().read_bytes() == b"number 2"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".table.csv.json", "table.csv"]


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_bytes(b"older and longer")])
def test_a_file_that_is_gone_or_another_is_written_again(tmp_path: Path, change: object) -> None:
    log, saved = tmp_path / "log", StreamedCsvDataset(filepath=str(tmp_path / "table.csv"))
    saved.save(partial(pieces, 1, str(log)))
    change(tmp_path / "table.csv")  # type: ignore[operator]
    saved.save(partial(pieces, 1, str(log)))
    assert saved.load().read_bytes() == b"number 1" and runs(log) == [1, 1]


def test_a_save_that_fails_leaves_the_earlier_file(tmp_path: Path) -> None:
    log, saved = tmp_path / "log", StreamedCsvDataset(filepath=str(tmp_path / "table.csv"))
    saved.save(partial(pieces, 1, str(log)))
    with pytest.raises(DatasetError, match="broken off"):
        saved.save(partial(pieces, 2, str(log), fails=True))
    assert saved.load().read_bytes() == b"number 1"
    assert not list(tmp_path.glob(".partial*"))
    with pytest.raises(DatasetError, match="is missing"):
        StreamedCsvDataset(filepath=str(tmp_path / "none.csv")).load()


@recipe("rows of test_streamed", version=1)
def rows(count: int) -> Iterator[bytes]:
    yield b"uri,score\n"
    yield from (f'"a, {number}.wav",0.5\n'.encode() for number in range(count))


def test_the_first_rows_are_previewed(tmp_path: Path) -> None:
    saved = StreamedCsvDataset(filepath=str(tmp_path / "table.csv"))
    for count in (0, 1, 9):
        saved.save(partial(rows, count))
        preview = saved.preview(3)
        assert preview["columns"] == ["uri", "score"]
        assert preview["data"] == [[f"a, {number}.wav", "0.5"] for number in range(min(count, 3))]
