"""Every kind of file is used as the page of formats says, and as exactly as it promises."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
from filelock import FileLock

from tests.formats.master import SECONDS
from tests.formats.measuring import PARAMS, Measured, judge
from tests.formats.page import CORRELATION, PAGE, measure_all, render
from tests.formats.plain import plain_decode
from tests.formats.rows import ROWS, Row
from tests.formats.writing import SHAPES, write
from xmodal_kedro.media.clip_rows import ClipRow
from xmodal_kedro.media.clipper import clip_file
from xmodal_kedro.media.streams import probe_file
from xmodal_kedro.params import IngestParams

AGREE_S = 0.04
DURATION_OFF_S = 0.05


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[Row, Measured]:
    """All rows, measured once for all processes of a test run."""
    folder = tmp_path_factory.getbasetemp()
    stored = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "formats.pickle"
    with FileLock(stored.with_suffix(".lock")):
        if not stored.exists():
            stored.write_bytes(pickle.dumps(measure_all()))
    found: dict[Row, Measured] = pickle.loads(stored.read_bytes())
    return found


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_file_is_used_whole_and_its_clips_are_those_of_a_plain_decode(
    measured: dict[Row, Measured], row: Row
) -> None:
    found, shape = measured[row], SHAPES[row.shape]
    assert not found.refused
    assert found.clipped_s > 0.85 * (SECONDS - shape.cut_s)
    assert found.correlation >= CORRELATION
    assert found.sound_s <= AGREE_S + shape.stamps_off_s
    assert found.frames_s <= AGREE_S + shape.stamps_off_s
    assert found.duration_off_s <= DURATION_OFF_S + shape.stamps_off_s
    assert bool(found.frames) == bool(row.video)
    assert not found.unreadable_frames


def test_the_page_says_what_is_measured(measured: dict[Row, Measured]) -> None:
    assert PAGE.read_text(encoding="utf-8") == render(measured), "write it anew: python -m tests.formats"


def test_no_row_is_there_twice() -> None:
    assert len(set(map(str, ROWS))) == len(ROWS) >= 40


def test_a_wrong_time_a_lost_second_and_another_frame_would_be_found(tmp_path: Path) -> None:
    row = ROWS[0]
    path = tmp_path / "file.mp4"
    write(path, row)
    (found,) = probe_file(str(path), IngestParams())
    *clips, account = clip_file(str(path), "0" * 32, PARAMS)
    plain = plain_decode(path, row)

    def measured_of(*changed: ClipRow) -> Measured:
        return judge(row, found, list(changed), account, plain)

    first, last = clips[0], clips[-1]
    assert measured_of(first, last).error_s <= AGREE_S
    assert measured_of(first._replace(start_s=first.start_s + 0.1)).sound_s == pytest.approx(0.1, abs=0.001)
    assert measured_of(first._replace(frames=[last.frames[-1]] * len(first.frames))).frames_s > 1
    assert (
        measured_of(first._replace(audio=bytes(32_000) + first.audio[32_000:])).correlation < 0.5
    )  # up to 50 ms of silence before sound are no part of it
