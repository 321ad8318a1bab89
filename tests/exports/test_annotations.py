"""Annotations are read back, by public readers where there are any."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest
from crowsetta.formats.bbox import Raven
from crowsetta.formats.seq import AudSeq, SimpleSeq

from tests.exports.windows import NAMES, SHARDS
from xmodal_kedro.datasets.exported import ExportedFilesDataset
from xmodal_kedro.exports.annotations import BIRDNET_COLUMNS, RAVEN_COLUMNS, annotation_jobs
from xmodal_kedro.exports.events import EventRule
from xmodal_kedro.exports.sources import WindowTags

RULE = EventRule(threshold=0.5, low_threshold=0.25)
ALL = ("events", "audacity", "raven", "birdnet")
EVENTS = [
    ("one/a.wav", NAMES[0], 0.0, 4.0),
    ("one/a.wav", "rain", 0.0, 8.0),
    ("one/a.wav", "rain", 12.0, 16.0),
    ("two/a.wav", NAMES[1], 0.0, 4.0),
    ("s3://bucket/../x, y.wav", "rain", 4.0, 8.0),
]
PLACES = {
    "one/a.wav": "one/a.wav",
    "two/a.wav": "two/a.wav",
    "s3://bucket/../x, y.wav": "s3%3A/%2F/bucket/%2E%2E/x, y.wav",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("events")
    dataset = ExportedFilesDataset(path=str(out), engine={"backend": "threading", "workers": 1})
    dataset.save(annotation_jobs({key: WindowTags(shard) for key, shard in SHARDS.items()}, RULE, ALL))
    return out


def spoken(label: str) -> str:
    """A label as a file of one line an event can hold it."""
    return " ".join(label.split()).replace('"', "'")


def test_each_recording_with_events_has_a_label_file_and_a_selection_table(folder: Path) -> None:
    made = {path.relative_to(folder).as_posix() for path in folder.rglob("*.txt")}
    assert made == {f"audacity/{place}.txt" for place in PLACES.values()} | {
        f"raven/{place}.Table.1.selections.txt" for place in PLACES.values()
    }


def test_the_table_of_events_is_read_as_csv(folder: Path) -> None:
    table = pd.read_csv(folder / "events.csv")
    assert list(table[["uri", "label", "start_s", "end_s"]].itertuples(index=False, name=None)) == EVENTS
    assert table.loc[1].to_dict() == {
        "uri": "one/a.wav",
        "label": "rain",
        "start_s": 0.0,
        "end_s": 8.0,
        "score": 0.9,
        "mean_score": 0.6,
        "windows": 2,
    }


def test_the_table_of_events_is_read_by_crowsetta(folder: Path) -> None:
    columns = {"start_s": "onset_s", "end_s": "offset_s"}
    read = SimpleSeq.from_file(
        folder / "events.csv", columns_map=columns, read_csv_kwargs={"usecols": [*columns, "label"]}
    )
    assert list(read.onsets_s) == [start for *_, start, _ in EVENTS]
    assert list(read.labels) == [label for _, label, *_ in EVENTS]


@pytest.mark.parametrize("uri", PLACES)
def test_label_files_are_read_by_crowsettas_reader_of_audacity(folder: Path, uri: str) -> None:
    read = AudSeq.from_file(folder / "audacity" / f"{PLACES[uri]}.txt")
    found = zip(read.labels, read.start_times, read.end_times, strict=True)
    assert list(found) == [(spoken(label), start, end) for of, label, start, end in EVENTS if of == uri]


@pytest.mark.parametrize("uri", PLACES)
def test_selection_tables_are_read_by_crowsettas_reader_of_raven(folder: Path, uri: str) -> None:
    path = folder / "raven" / f"{PLACES[uri]}.Table.1.selections.txt"
    boxes = Raven.from_file(path).to_bbox()
    assert [(box.label, box.onset, box.offset) for box in boxes] == [
        (spoken(label), start, end) for of, label, start, end in EVENTS if of == uri
    ]
    assert {(box.low_freq, box.high_freq) for box in boxes} == {(0.0, 8000.0)}
    rows = list(csv.reader(io.StringIO(path.read_text()), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert tuple(rows[0]) == RAVEN_COLUMNS
    assert [row[:3] for row in rows[1:]] == [[str(n), "Spectrogram 1", "1"] for n in range(1, len(boxes) + 1)]
    assert {row[7] for row in rows[1:]} == {uri.rpartition("/")[2]}


def test_birdnets_table_has_its_columns_and_a_row_for_each_window_over_the_threshold(folder: Path) -> None:
    path = folder / "BirdNET_CombinedTable.csv"
    table = pd.read_csv(path)
    assert tuple(table.columns) == BIRDNET_COLUMNS
    assert (table["Scientific name"] == table["Common name"]).all()
    assert table[["Start (s)", "End (s)", "Common name", "Confidence", "File"]].values.tolist() == [
        [0.0, 4.0, "rain", 0.9, "one/a.wav"],
        [0.0, 4.0, "Child speech; kid speaking", 0.6, "one/a.wav"],
        [12.0, 16.0, "rain", 0.75, "one/a.wav"],
        [0.0, 4.0, "'big' the one here'", 0.5, "two/a.wav"],
        [4.0, 8.0, "rain", 1.0, "s3://bucket/../x, y.wav"],
    ]


def test_birdnet_analyzers_way_of_dividing_lines_finds_name_and_confidence(folder: Path) -> None:
    lines = (folder / "BirdNET_CombinedTable.csv").read_text().splitlines()[1:]
    assert [line.split(",")[3] for line in lines[:2]] == ["rain", "Child speech; kid speaking"]
    assert [float(line.split(",")[4]) for line in lines[:2]] == [0.9, 0.6]


def test_without_recordings_there_are_headers_alone(tmp_path: Path) -> None:
    dataset = ExportedFilesDataset(path=str(tmp_path / "none"), engine={"backend": "threading", "workers": 1})
    dataset.save(annotation_jobs({}, RULE, ALL))
    assert pd.read_csv(tmp_path / "none" / "events.csv").empty
    assert list(dataset.load()) == ["BirdNET_CombinedTable.csv", "events.csv"]


def test_only_the_formats_that_are_asked_for_are_made() -> None:
    sources = {key: WindowTags(shard) for key, shard in SHARDS.items()}
    assert sorted(annotation_jobs(sources, RULE, ("raven", "events"))) == ["events", "raven-shard-0", "raven-shard-1"]
