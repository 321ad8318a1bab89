"""Labels of classes in a user's words, from a model that knows three colours."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.fakes import MemoryShard, folder_of, shard_of
from tests.teachers.contrastive import teach_colours, write_clap, write_clip
from tests.teachers.fixtures import clips_shard, colour_card, jpeg, tone
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.errors import UserError
from xmodal_kedro.params import AudioTeacherCard, LabelParams, TeacherCard, VisualTeacherCard
from xmodal_kedro.schemas import ClassPrompts, ClipEmbeddings, TeacherLabels
from xmodal_kedro.storage import Folder
from xmodal_kedro.teachers.prompted_labels import describe_prompts, embedding_jobs, labelling_jobs

COLOUR_PROMPTS = {"crimson": ["a photo of red"], "leaf": ["a photo of green"]}


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = tmp_path_factory.mktemp("teachers")
    teach_colours(write_clip(folder / "clip"), folder / "clip")
    write_clap(folder / "clap")
    return folder_of(folder)


def card(**changes: Any) -> VisualTeacherCard:
    fields = {"backend": "contrastive", "weights": "clip", "classes": COLOUR_PROMPTS, "background": ["a photo of blue"]}
    return VisualTeacherCard.model_validate(fields | changes)


def corpus(count: int = 120) -> tuple[dict[str, MemoryShard], dict[str, str]]:
    """Clips of mostly blue frames in two shards, and the colour of the others."""
    draw = np.random.default_rng(0)
    clips: list[dict[str, Any]] = []
    truth = {}
    for number in range(count):
        level = draw.integers(0, 90, 3)
        kind = {0: 0, 1: 1}.get(number % 10, 2)
        level[kind] += 140
        clip_id = f"clip-{number:03d}"
        clips.append({"clip_id": clip_id, "frames": [jpeg(*map(int, level))] * (1 + number % 2)})
        if kind < 2:
            truth[clip_id] = ("crimson", "leaf")[kind]
    clips[7]["frames"] = []
    half = count // 2
    return {"shard-b": clips_shard(clips[:half]), "shard-a": clips_shard(clips[half:])}, truth


def embedded(clips: dict[str, MemoryShard], of: TeacherCard, teachers: Folder) -> dict[str, MemoryShard]:
    jobs = embedding_jobs(clips, teachers, of, LabelParams())
    return {key: shard_of(pickle.loads(pickle.dumps(job))) for key, job in jobs.items()}


def labelled(
    clips: dict[str, MemoryShard], of: TeacherCard, teachers: Folder, params: LabelParams | None = None
) -> dict[str, pa.Table]:
    params = params or LabelParams(min_score=0.5)
    embeddings = embedded(clips, of, teachers)
    prompts = describe_prompts(embeddings, teachers, of, params)
    ClassPrompts.validate(prompts)
    jobs = labelling_jobs(clips, embeddings, prompts, of, params)
    return {key: shard_of(pickle.loads(pickle.dumps(job)))() for key, job in jobs.items()}


def pairs(tables: Sequence[pa.Table]) -> set[tuple[str, str]]:
    return {(row["clip_id"], row["label"]) for table in tables for row in table.to_pylist()}


def test_own_words_label_the_clips_that_have_them(teachers: Folder) -> None:
    clips, truth = corpus()
    tables = labelled(clips, card(), teachers)
    for table in tables.values():
        TeacherLabels.validate(table.to_pandas())
    best: dict[str, str] = {}
    for table in tables.values():
        for row in table.to_pylist():
            best.setdefault(row["clip_id"], row["label"])
    right = sum(best.get(clip_id) == name for clip_id, name in truth.items())
    assert right >= 0.9 * len(truth)
    assert len(best.keys() - truth.keys()) <= 0.1 * (
        120 - len(truth)
    )  # the model is small, and knows its colours roughly


def test_every_clip_is_accounted_for(teachers: Folder) -> None:
    clips, _ = corpus()
    tables = labelled(clips, card(), teachers)
    for key, table in tables.items():
        stored = {name.decode(): value.decode() for name, value in table.schema.metadata.items()}
        unlabelled = json.loads(stored["unlabelled"])
        assert int(stored["clips"]) == clips[key].num_rows
        assert len(set(table["clip_id"].to_pylist())) + sum(unlabelled.values()) == clips[key].num_rows
        assert unlabelled["no_picture"] == (1 if key == "shard-b" else 0)


def test_embeddings_have_a_row_for_each_frame(teachers: Folder) -> None:
    clips, _ = corpus()
    for key, shard in embedded(clips, card(), teachers).items():
        ClipEmbeddings.validate(shard().to_pandas())
        size = int(shard.metadata["embedding_size"])
        frames = {row["clip_id"]: len(row["frames"]) for row in clips[key]().to_pylist()}
        rows = {row["clip_id"]: len(row["embedding"]) // 2 // size for row in shard().to_pylist()}
        assert rows == {clip_id: count for clip_id, count in frames.items() if count}


def test_other_classes_or_prompts_do_not_embed_the_clips_again(teachers: Folder) -> None:
    clips, _ = corpus(20)

    def prints(of: TeacherCard, **params: Any) -> list[str]:
        jobs = embedding_jobs(clips, teachers, of, LabelParams.model_validate(params))
        return [fingerprint(job) for job in jobs.values()]

    assert prints(card()) == prints(card(classes={"sea": ["a photo of blue"]}, background=["grey"]), min_score=0.3)
    assert prints(card()) != prints(card(), device="cpu")


def test_other_prompts_or_another_corpus_make_other_labels(teachers: Folder) -> None:
    clips, _ = corpus(40)
    params = LabelParams()
    embeddings = embedded(clips, card(), teachers)
    prompts = describe_prompts(embeddings, teachers, card(), params)

    def prints(of: TeacherCard, table: Any, chosen: LabelParams = params) -> list[str]:
        return [fingerprint(job) for job in labelling_jobs(clips, embeddings, table, of, chosen).values()]

    same = prints(card(), prompts)
    assert prints(card(), describe_prompts(embeddings, teachers, card(), params)) == same
    half = describe_prompts({"shard-a": embeddings["shard-a"]}, teachers, card(), params)
    assert prints(card(), half) != same
    assert prints(card(calibration="none"), half) == prints(card(calibration="none"), prompts)
    assert prints(card(), prompts, LabelParams(top_k=1)) != same
    assert prints(card(), prompts, LabelParams(batch_size=2)) == same


def test_labels_do_not_depend_on_how_clips_are_sharded(teachers: Folder) -> None:
    clips, _ = corpus()
    whole = pa.concat_tables([clips["shard-b"](), clips["shard-a"]()])
    together = labelled({"all": MemoryShard(whole)}, card(), teachers)
    apart = labelled(clips, card(), teachers)
    assert pairs(list(together.values())) == pairs(list(apart.values()))


def test_without_calibration_scores_are_probabilities(teachers: Folder) -> None:
    clips, truth = corpus(20)
    tables = labelled(clips, card(calibration="none"), teachers, LabelParams(min_score=0.5))
    assert pairs(list(tables.values())) == set(truth.items())


def test_audio_is_labelled_in_the_same_way(teachers: Folder) -> None:
    clips = {"s": clips_shard([{"audio": tone(200 * (1 + number % 5), 3)} for number in range(12)])}
    of = AudioTeacherCard.model_validate(
        {"backend": "contrastive", "weights": "clap", "classes": {"low": ["a low sound"], "high": ["a high sound"]}}
    )
    table = labelled(clips, of, teachers, LabelParams(min_score=0.0))["s"]
    assert len(table) == 24
    assert set(table["label"].to_pylist()) == {"low", "high"}


def test_clips_without_frames_have_no_labels_and_no_calibration(teachers: Folder) -> None:
    clips = {"s": clips_shard([{"frames": []}, {"frames": []}])}
    table = labelled(clips, card(), teachers)["s"]
    assert len(table) == 0
    assert json.loads(table.schema.metadata[b"unlabelled"]) == {"below_min_score": 0, "no_picture": 2}


def test_clips_without_embeddings_are_named(teachers: Folder) -> None:
    clips, _ = corpus(20)
    embeddings = embedded(clips, card(), teachers)
    prompts = describe_prompts(embeddings, teachers, card(), LabelParams())
    with pytest.raises(UserError, match="shard-a"):
        labelling_jobs(clips, {"shard-b": embeddings["shard-b"]}, prompts, card(), LabelParams())


def test_few_clips_are_reported(teachers: Folder, caplog: pytest.LogCaptureFixture) -> None:
    clips, _ = corpus(20)
    labelled(clips, card(), teachers)
    assert "19 clips" in caplog.text


def test_another_backend_has_neither_embeddings_nor_prompts(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path), {}) if not list(tmp_path.iterdir()) else folder_of(tmp_path)
    assert embedding_jobs({"s": clips_shard([{}])}, folder, colour_card(), LabelParams()) == {}
    assert describe_prompts({}, folder, colour_card(), LabelParams()).empty
