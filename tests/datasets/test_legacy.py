"""What version 0.1 stored is recognised by its fingerprints; those below were recorded with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from tests.datasets.jobs import numbers
from xmodal_kedro.datasets.legacy import legacy_fingerprints
from xmodal_kedro.dedup.signature import sign_shard
from xmodal_kedro.evaluation.embeddings import BatchSize, embed_benchmark_shard
from xmodal_kedro.evaluation.rules import train_on_rule
from xmodal_kedro.evaluation.sounds import decode_sounds
from xmodal_kedro.labels.counts import survey_shards
from xmodal_kedro.labels.merge import merge_shard
from xmodal_kedro.media.clip_rows import StreamUse
from xmodal_kedro.media.clip_shard import VideoSource, clip_shard
from xmodal_kedro.media.probe import SourceFile, probe_shard
from xmodal_kedro.params import (
    AudioLabelParams,
    AudioTeacherCard,
    ClipParams,
    IngestParams,
    LabelParams,
    SampleParams,
    TrainParams,
    VisualTeacherCard,
)
from xmodal_kedro.recipes import Recipe
from xmodal_kedro.sample.benchmark import benchmark_clip
from xmodal_kedro.sample.scenes import write_script
from xmodal_kedro.sample.teachers import train_visual_teacher
from xmodal_kedro.sample.video import render_video
from xmodal_kedro.schemas.shard_checks import CheckedShardJob
from xmodal_kedro.storage import FileRef
from xmodal_kedro.teachers.embeddings import EmbeddingTask, embed_clips_shard
from xmodal_kedro.teachers.labelling import LabelTask, label_shard
from xmodal_kedro.teachers.protocol import TeacherFiles

OPTIONS = {"compression": "none", "row_group_size": 64}
RECORDED = {
    "sign_clips": "b6e0aeeaf04217164be22158d15fcddd",
    "label": "1eea9dbee8ccd9ddf9e10cd8c052e9d1",
    "teacher_embeddings": "31331061ad872f124a45a6eb611b19fe",
    "merge_labels": "45d9e49f18707d514291de8c02f27f12",
    "survey_labels": "74101401b07c51923e77e63c3692cb86",
    "compare_train": "e465605d436b7d45b125ed2583de337e",
    "sample_video": "db943f4eec8aaced59841e1640ff4a09",
    "sample_benchmark": "c71c960dd19707873e6672c44ed7ffe7",
    "sample_visual_teacher": "4223c4461b06c1f5e0f89fd63fb10c8c",
    "bytes": "65106ef582a8964ea9feb6522dd888de",
}


RAISED = ("probe", "clip", "decode_benchmark", "embed_benchmark")
"""Recipes that give other results than version 0.1 did."""


class Stored:
    """An argument that is represented by its fingerprint."""

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint


@pytest.fixture
def jobs(tmp_path: Path) -> dict[str, Callable]:
    (tmp_path / "weights.onnx").write_bytes(b"weights")
    file = FileRef("weights.onnx", str(tmp_path / "weights.onnx"), 7, 0)
    card = AudioTeacherCard.model_validate(
        {
            "backend": "onnx",
            "weights": "weights.onnx",
            "labels": "labels.txt",
            "input": {"kind": "log_mel"},
            "output": {"embedding": "embedding"},
        }
    )
    visual = VisualTeacherCard.model_validate(
        {
            "backend": "sample",
            "weights": "weights.safetensors",
            "labels": "labels.txt",
            "input": {"kind": "image", "resize_px": 64, "crop_px": 64},
        }
    )
    clips, labels = Stored("clips"), Stored("labels")
    vocabulary = pd.DataFrame({"index": [0], "name": ["dog"]})
    shards = {
        "probe": partial(
            probe_shard, (SourceFile(FileRef("a.mp4", "/a.mp4", 10, 5, "etag")),), IngestParams(shard_sources=4)
        ),
        "clip": partial(
            clip_shard, (VideoSource("v", "u", None, 1, StreamUse("1", "1*c0", 1, -1)),), ClipParams(shard_mb=8)
        ),
        "sign_clips": partial(sign_shard, clips),
        "label": partial(label_shard, clips, TeacherFiles((file,), None), LabelTask(card, LabelParams(top_k=3))),
        "teacher_embeddings": partial(
            embed_clips_shard, clips, TeacherFiles((file,), file), EmbeddingTask(card, AudioLabelParams())
        ),
        "merge_labels": partial(
            merge_shard,
            "shard-0",
            clips,
            {"audio": Stored("audio")},
            Stored("plan"),
            Stored("chosen"),
            {"v": "g"},
            "hard",
            0.15,
        ),
        "survey_labels": partial(survey_shards, {"shard-0": (clips, {"audio": Stored("audio")})}, Stored("plan")),
        "decode_benchmark": partial(decode_sounds, (("a.wav", file),)),
        "embed_benchmark": partial(embed_benchmark_shard, Stored("sounds"), Stored("network"), BatchSize(4)),
        "compare_train": partial(
            train_on_rule, "union", {"s": clips}, {"s": labels}, vocabulary, TrainParams(model="vggish")
        ),
    }
    schemas = ["Probes", "Clips", "Signatures", "TeacherLabels", "TeacherEmbeddings", "Labels", "LabelCounts"]
    schemas += ["BenchmarkSounds", "BenchmarkEmbeddings", "RuleNetworks"]
    files = {
        "sample_video": partial(render_video, write_script(SampleParams(videos=3), 1)),
        "sample_benchmark": partial(benchmark_clip, 0, "dog", 1, 2),
        "sample_visual_teacher": partial(train_visual_teacher, SampleParams(), visual),
        "bytes": partial(bytes, b"text"),
    }
    checked = {name: CheckedShardJob(job, schema) for (name, job), schema in zip(shards.items(), schemas, strict=True)}
    return {**checked, **files}


@pytest.mark.parametrize("name", RECORDED)
def test_a_job_has_the_fingerprint_that_version_0_1_gave_it(name: str, jobs: dict[str, Callable]) -> None:
    options = OPTIONS if isinstance(jobs[name], CheckedShardJob) else None
    assert RECORDED[name] in legacy_fingerprints(jobs[name], options)


def test_each_python_version_gave_its_own(jobs: dict[str, Callable]) -> None:
    assert len(legacy_fingerprints(jobs["label"], OPTIONS)) == 3


def rules_job(params: TrainParams) -> CheckedShardJob:
    """The job of `compare_train` with other parameters."""
    vocabulary = pd.DataFrame({"index": [0], "name": ["dog"]})
    clips, labels = Stored("clips"), Stored("labels")
    return CheckedShardJob(
        partial(train_on_rule, "union", {"s": clips}, {"s": labels}, vocabulary, params), "RuleNetworks"
    )


def test_other_parameters_are_not_recognised() -> None:
    assert RECORDED["compare_train"] in legacy_fingerprints(rules_job(TrainParams(model="vggish")), OPTIONS)
    other = TrainParams(model="vggish", epochs=3)
    assert RECORDED["compare_train"] not in legacy_fingerprints(rules_job(other), OPTIONS)


def test_a_raised_recipe_version_is_not_recognised(jobs: dict[str, Callable], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_shard, "recipe", Recipe("label", 2))
    assert legacy_fingerprints(jobs["label"], OPTIONS) == set()
    for name in RAISED:
        assert legacy_fingerprints(jobs[name], OPTIONS) == set()


def test_a_field_that_was_added_since_counts_only_where_it_is_set() -> None:
    class Grown(TrainParams):
        """A class with the name that it had in version 0.1."""

        loudest_first: bool = False

    Grown.__name__ = "TrainParams"
    assert RECORDED["compare_train"] in legacy_fingerprints(rules_job(Grown(model="vggish")), OPTIONS)
    assert legacy_fingerprints(rules_job(Grown(model="vggish", loudest_first=True)), OPTIONS) == set()


def test_a_recipe_that_came_later_has_none() -> None:
    assert legacy_fingerprints(partial(numbers, 1, 2)) == set()
