"""Spans from windows and from clips."""

from __future__ import annotations

import pytest

from tests.exports import clips as corpus
from tests.exports.windows import SHARDS, windows
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.errors import UserError
from xmodal_kedro.exports.annotations import annotation_jobs
from xmodal_kedro.exports.events import EventRule, Span, find_events
from xmodal_kedro.exports.sources import ClipTargets, WindowTags

URIS = dict(zip(corpus.VIDEOS["video_id"], corpus.VIDEOS["uri"], strict=True))

RULE = EventRule(0.5, 0.25)


def targets(key: str, uris: dict[str, str] = URIS) -> ClipTargets:
    return ClipTargets(corpus.clips()[key], corpus.labels()[key], corpus.NAMES, uris)


def test_each_tag_of_a_window_is_a_span() -> None:
    spans = WindowTags(windows({"a.wav": [{"dog": 0.5, "rain": 0.25}, {}, {"dog": 1.0}]})).spans()
    assert spans == [
        Span("a.wav", "dog", 0.0, 4.0, 0.5),
        Span("a.wav", "rain", 0.0, 4.0, 0.25),
        Span("a.wav", "dog", 8.0, 12.0, 1.0),
    ]
    assert WindowTags(windows({})).spans() == []


def test_each_target_of_a_clip_is_a_span_in_its_recording() -> None:
    assert targets("shard-0").spans() == [
        Span("trip/0001.mp4", "Bark", 0.0, 4.0, 1.0),
        Span("trip/0001.mp4", "rain", 0.0, 4.0, 0.5),
        Span("trip/0001.mp4", "rain", 4.0, 7.5, 0.25),
        Span("b, c.mp4", "Child speech, kid speaking", 1.0, 5.0, 1.0),
    ]
    assert [span.uri for span in targets("shard-1", {}).spans()] == [corpus.V2, corpus.V2]


def test_clips_that_follow_each_other_are_one_event() -> None:
    events = find_events(targets("shard-0").spans(), EventRule(0.0, 0.0))
    assert [(event.label, event.start_s, event.end_s) for event in events if event.uri == "trip/0001.mp4"] == [
        ("Bark", 0.0, 4.0),
        ("rain", 0.0, 7.5),
    ]


def test_a_job_is_the_same_as_long_as_what_it_reads_is() -> None:
    def marks(sources: dict[str, WindowTags], rule: EventRule = RULE) -> dict[str, str]:
        jobs = annotation_jobs(dict(sources), rule, ("events", "raven"))
        return {key: fingerprint(job) for key, job in jobs.items()}

    before = marks({key: WindowTags(shard) for key, shard in SHARDS.items()})
    grown = marks({"shard-0": WindowTags(SHARDS["shard-0"]), "shard-1": WindowTags(windows({"new.wav": [{"dog": 1}]}))})
    assert {key for key, mark in grown.items() if before[key] != mark} == {"events", "raven-shard-1"}
    other = marks({key: WindowTags(shard) for key, shard in SHARDS.items()}, EventRule(0.5, 0.3))
    assert not set(other.values()) & set(before.values())
    assert fingerprint(annotation_jobs({"a": targets("shard-0")}, EventRule(0, 0), ["raven"])["raven-a"])


def test_labels_of_clips_that_are_gone_are_refused() -> None:
    other = ClipTargets(corpus.clips()["shard-1"], corpus.labels()["shard-0"], corpus.NAMES, URIS)
    with pytest.raises(UserError, match="clip0"):
        other.spans()
