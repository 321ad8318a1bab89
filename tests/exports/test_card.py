"""What the card of a data set says of licences, sizes and names."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import yaml

from xmodal_kedro.exports.card import Teacher, describe_dataset, licence_of_all
from xmodal_kedro.exports.counts import CorpusCounts, SplitCounts
from xmodal_kedro.storage import FileRef, Folder

TEACHERS = (Teacher("seen.onnx", "onnx"), Teacher("org/heard", "transformers", "main"))
FILES = Folder("data", {"train-shard-all.parquet": FileRef("train-shard-all.parquet", "x", 700, 0)})


def card(clips: int = 3, names: tuple[str, ...] = ("rain",), licences: dict[str, int] | None = None) -> str:
    counts = SplitCounts(clips, 4.0 * clips, 2, Counter({0: clips}))
    whole = CorpusCounts(names, False, {"train": counts} if clips else {}, Counter(licences or {}))
    return describe_dataset(whole, FILES if clips else Folder("data", {}), *TEACHERS)


def head(text: str) -> dict[str, Any]:
    return dict(yaml.safe_load(text.split("---\n", 2)[1]))


@pytest.mark.parametrize(
    ("licences", "name"),
    [
        ({"CC BY 4.0": 3}, "cc-by-4.0"),
        ({"cc-by-nc-sa-4.0": 1}, "cc-by-nc-sa-4.0"),
        ({"CC0": 2}, "cc0-1.0"),
        ({"MIT": 1, "mit": 2}, "mit"),
        ({"CC BY 4.0": 3, "": 1}, "other"),
        ({"CC BY 4.0": 3, "CC0": 1}, "other"),
        ({"ask me": 1}, "other"),
        ({}, "other"),
    ],
)
def test_a_licence_is_named_if_all_recordings_have_one_that_the_hub_knows(licences: dict[str, int], name: str) -> None:
    assert licence_of_all(licences) == name
    assert head(card(licences=licences))["license"] == name


@pytest.mark.parametrize(("clips", "size"), [(999, "n<1K"), (1000, "1K<n<10K"), (15_000_000, "10M<n<100M")])
def test_the_size_is_the_hubs_name_of_it(clips: int, size: str) -> None:
    assert head(card(clips))["size_categories"] == [size]


def test_names_of_any_kind_keep_head_and_tables_whole() -> None:
    names = ("a: b", "- '\"x", "pipe | `tick`", "two\nlines", "007", "null", "é")
    text = card(names=names)
    (labels,) = [found for found in head(text)["dataset_info"]["features"] if found["name"] == "labels"]
    assert list(labels["sequence"]["class_label"]["names"].values()) == list(names)
    rows = text.split("| class |")[1].split("\n\n")[0].splitlines()[2:]
    assert len(rows) == len(names) and all(row.replace("\\|", "").count("|") == 3 for row in rows)


def test_a_corpus_without_clips_has_a_card_without_files() -> None:
    assert "configs" not in head(card(0))


def test_teachers_are_named_with_their_revision() -> None:
    lines = card().splitlines()
    assert "| seen | `seen.onnx` (onnx) |" in lines
    assert "| heard | `org/heard` (transformers, revision `main`) |" in lines
