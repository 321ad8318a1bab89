"""Tables that are found right on their Arrow columns are those that Pandera finds right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandera.errors
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmodal_kedro import schemas
from xmodal_kedro.schemas.arrow_checks import is_right
from xmodal_kedro.schemas.shard_checks import check

CLIP: dict[str, Any] = {
    "clip_id": "a-0",
    "video_id": "a",
    "start_s": 0.0,
    "end_s": 1.0,
    "audio": bytes(32_000),
    "audio_rms_dbfs": -20.0,
    "frames": [b"jpeg"],
    "frame_times_s": [0.5],
    "still_picture": False,
}


def clips(*changes: dict[str, Any]) -> pa.Table:
    rows = [{**CLIP, "clip_id": f"a-{number}", **change} for number, change in enumerate(changes)]
    return pa.Table.from_pylist(rows, schema=schemas.CLIPS_ARROW)


def passes_pandera(table: pa.Table, model: type[schemas.Table]) -> bool:
    try:
        model.validate(table.to_pandas(), lazy=True)
    except pandera.errors.SchemaErrors:
        return False
    return True


def test_right_tables_need_no_pandera() -> None:
    assert is_right(clips({}, {}), schemas.Clips)
    assert is_right(clips(), schemas.Clips)
    assert is_right(clips({}, {}).take([1, 0]).slice(1), schemas.Clips)


@pytest.mark.parametrize(
    "changes",
    [
        {"start_s": -0.1},
        {"start_s": float("nan")},
        {"start_s": None},
        {"end_s": 0.0},
        {"audio_rms_dbfs": 0.2},
        {"audio": bytes(31_000)},
        {"frames": []},
        {"clip_id": "a-0"},
        {"clip_id": None},
    ],
)
def test_wrong_ones_are_refused_by_name(changes: dict[str, Any]) -> None:
    table = clips({}, changes)
    assert not is_right(table, schemas.Clips) and not passes_pandera(table, schemas.Clips)
    with pytest.raises(pandera.errors.SchemaErrors):
        check(table, schemas.Clips)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.drop_columns("still_picture"),
        lambda table: table.append_column("more", [[1]]),
        lambda table: table.set_column(2, "start_s", pa.array(["0"])),
    ],
)
def test_other_columns_and_types_are_not_found_right(change: Callable[[pa.Table], pa.Table]) -> None:
    assert not is_right(change(clips({})), schemas.Clips)


COUNTS = st.fixed_dictionaries(
    {
        "what": st.sampled_from(["clips", "scores", "Clips", ""]),
        "modality": st.sampled_from(["", "visual", "both", "seen"]),
        **{name: st.integers(-1, 3) for name in ("first", "second", "count")},
    }
)


@given(st.lists(COUNTS, max_size=3))
def test_both_find_the_same_tables_of_counts_right(rows: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(rows, schema=schemas.LABEL_COUNTS_ARROW)
    assert is_right(table, schemas.LabelCounts) == passes_pandera(table, schemas.LabelCounts)


def test_every_check_of_a_sharded_table_is_known() -> None:
    """So that none of them is always left to Pandera."""
    stored = [value for name, value in vars(schemas).items() if name.endswith("_ARROW")]
    tables = [value for value in vars(schemas).values() if isinstance(value, type) and issubclass(value, schemas.Table)]
    sharded = [table for table in tables if table is not schemas.Table and _arrow_schema(table) in stored]
    assert len(sharded) == len(stored) > 10
    for table in sharded:
        assert is_right(table.arrow_schema().empty_table(), table), table


def _arrow_schema(table: type[schemas.Table]) -> pa.Schema | None:
    try:
        return table.arrow_schema()
    except KeyError:  # of a table that is not sharded
        return None
