"""What `make recipes ACCEPT=1` compares, and on which inputs."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from xmodal_kedro.cli.recipe_lock import LOCK_NAME
from xmodal_kedro.cli.recipe_proof import Step, commit_of_lock, different_results, following_steps, git, recipes_in
from xmodal_kedro.datasets.stored_shard import RECIPE_KEY


def step(name: str, inputs: str, outputs: str) -> Step:
    return Step(name, frozenset(inputs.split()), frozenset(outputs.split()))


LINE = [
    step("probe", "files", "probes"),
    step("table", "probes", "videos"),
    step("clip", "videos", "clips"),
    step("count", "clips", "counts"),
    step("label", "clips teacher", "labels"),
    step("teach", "labels", "weights"),
    step("judge", "weights sounds", "embeddings"),
    step("decode", "benchmark", "sounds"),
]


def test_only_what_follows_from_a_raised_recipe_and_is_wanted_is_made_again() -> None:
    names = [of.name for of in following_steps(LINE, {"clips"}, {"labels", "weights"})]
    assert names == ["label", "teach"]


def test_a_raised_recipe_after_another_is_not_made_again() -> None:
    names = [of.name for of in following_steps(LINE, {"probes", "clips", "sounds"}, {"labels", "embeddings"})]
    assert names == ["label", "teach", "judge"]


def write_shard(path: Path, recipe: str, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({"value": [value]}).replace_schema_metadata({RECIPE_KEY: json.dumps({"recipe": recipe})})
    pq.write_table(table, path)


def test_rows_of_recipes_are_compared_but_not_of_raised_ones(tmp_path: Path) -> None:
    for world, value in (("a", 1), ("b", 2)):
        write_shard(tmp_path / world / "clips" / "1.parquet", "clip", value)
        write_shard(tmp_path / world / "labels" / "1.parquet", "label", value)
        write_shard(tmp_path / world / "probes" / "1.parquet", "probe", 7)
    write_shard(tmp_path / "b" / "probes" / "2.parquet", "probe", 7)
    assert different_results(tmp_path / "a", tmp_path / "b", {"clip"}) == ["labels/1.parquet", "probes/2.parquet"]
    assert recipes_in(tmp_path / "a") == {"clip", "label", "probe"}


def test_a_dataset_that_the_earlier_code_did_not_make_is_no_difference(tmp_path: Path) -> None:
    for world in ("a", "b"):
        write_shard(tmp_path / world / "labels" / "1.parquet", "label", 1)
    write_shard(tmp_path / "b" / "reviews" / "1.parquet", "review", 1)
    (tmp_path / "b" / "01_raw" / "labelled").mkdir(parents=True)
    (tmp_path / "b" / "01_raw" / "labelled" / "1.wav").touch()
    assert different_results(tmp_path / "a", tmp_path / "b") == []
    assert different_results(tmp_path / "b", tmp_path / "a") == ["01_raw/labelled/1.wav", "reviews/1.parquet"]


def test_cards_are_compared_but_not_the_fingerprints_of_data_in_them(tmp_path: Path) -> None:
    cards = {"a": ("1", 0.5), "same": ("2", 0.5), "other": ("1", 0.6)}
    for world, (fingerprint, value) in cards.items():
        card = json.dumps({"data_fingerprint": fingerprint, "best": value})
        table = pa.table({"card": [card]}).replace_schema_metadata({RECIPE_KEY: json.dumps({"recipe": "train"})})
        (tmp_path / world).mkdir()
        pq.write_table(table, tmp_path / world / "network.parquet")
    assert different_results(tmp_path / "a", tmp_path / "same") == []
    assert different_results(tmp_path / "a", tmp_path / "other") == ["network.parquet"]


def test_the_proof_begins_where_the_lock_of_the_working_tree_was_written(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    commits = []
    for content in ("first", "second", "third"):
        (tmp_path / LOCK_NAME).write_text(content)
        git(tmp_path, "add", LOCK_NAME)
        git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", content)
        commits.append(git(tmp_path, "rev-parse", "HEAD"))
    assert commit_of_lock(tmp_path) == commits[2]
    (tmp_path / LOCK_NAME).write_text("second")
    assert commit_of_lock(tmp_path) == commits[1]
    (tmp_path / LOCK_NAME).write_text("never committed")
    assert commit_of_lock(tmp_path) == commits[2]
