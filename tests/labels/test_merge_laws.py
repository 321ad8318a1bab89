"""What holds for the merged labels of any corpus."""

import json
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.labels.merging import AUDIO, VISUAL, Corpus, Merged, PlainMerge, corpus_of, merge, merge_params
from xmodal_kedro.schemas import (
    CandidateClasses,
    ClassAssociations,
    ClassThresholds,
    DroppedClasses,
    LabelClasses,
    Labels,
    LabelVocabulary,
)

SCORES = st.sampled_from([0.1, 0.3, 0.5, 0.9, 1.0]) | st.floats(0, 1, width=32)


@st.composite
def corpora(draw: st.DrawFn) -> Corpus:
    clips: dict[str, list[tuple[str, str]]] = {}
    labels: dict[str, dict[str, list[tuple[str, str, float]]]] = {"visual": {}, "audio": {}}
    for shard in range(draw(st.integers(1, 3))):
        key = f"shard-{shard:05b}"
        ids = [f"{shard}-{clip}" for clip in range(draw(st.integers(0, 6)))]
        clips[key] = [(clip_id, f"video {shard} {draw(st.integers(0, 3))}") for clip_id in ids]
        for modality, names in (("visual", VISUAL), ("audio", AUDIO)):
            found = draw(st.sets(st.tuples(st.sampled_from(ids), st.sampled_from(names)))) if ids else set()
            labels[modality][key] = [(*pair, draw(SCORES)) for pair in sorted(found)]
    return corpus_of(clips, labels["visual"], labels["audio"])


@st.composite
def all_params(draw: st.DrawFn) -> Any:
    teacher = st.fixed_dictionaries(
        {
            "threshold": st.sampled_from([0.0, 0.3, 0.6]),
            "top_k": st.integers(1, 4),
            "max_rate": st.sampled_from([None, None, 0.2, 0.5]),
        }
    )
    return merge_params(
        rule=draw(st.sampled_from(["union", "agreement", "visual_only", "audio_only"])),
        visual=draw(teacher),
        audio=draw(teacher),
        agreement={
            "ancestors": draw(st.booleans()),
            "associations": draw(st.booleans()),
            "min_pmi": draw(st.sampled_from([0.1, 1.0])),
            "min_videos": draw(st.integers(1, 2)),
        },
        visual_names=draw(st.sampled_from(["own", "sounds"])),
        drop_silent=draw(st.booleans()),
        drop_seen_on_stills=draw(st.booleans()),
        parents=draw(st.booleans()),
        targets=draw(st.sampled_from(["hard", "soft"])),
        min_clips=draw(st.integers(1, 2)),
        validation_fraction=0.5,
    )


@settings(deadline=None, max_examples=40)
@given(corpus=corpora(), params=all_params())
def test_merging_obeys_its_laws_and_does_what_plain_loops_do(corpus: Corpus, params: Any) -> None:
    try:
        merged = merge(corpus, params)
    except ValueError as error:
        assert "no class is left" in str(error)
        return
    require_laws(merged, corpus, params)
    plain = PlainMerge(corpus, merged, params).targets()
    frequent = {
        name for name, count in Counter(n for t in plain.values() for n in t).items() if count >= params.min_clips
    }
    expected = {
        clip: {name: score if params.targets == "soft" else 1.0 for name, score in targets.items() if name in frequent}
        for clip, targets in plain.items()
    }
    assert merged.named_targets() == expected
    backwards: Any = {name: dict(reversed(shards.items())) for name, shards in corpus.items()}
    again = merge(backwards, params)
    pd.testing.assert_frame_equal(merged.vocabulary, again.vocabulary)
    assert all(merged.tables[key].equals(again.tables[key], check_metadata=True) for key in merged.tables)


def require_laws(merged: Merged, corpus: Corpus, params: Any) -> None:
    for schema, table in (
        (CandidateClasses, merged.candidates),
        (LabelClasses, merged.label_classes),
        (ClassThresholds, merged.thresholds),
        (ClassAssociations, merged.associations),
        (LabelVocabulary, merged.vocabulary),
        (DroppedClasses, merged.dropped),
    ):
        schema.validate(table)
    sides: dict[str, set[str]] = {}
    counts = np.zeros(len(merged.vocabulary), int)
    for key, load in corpus["clips"].items():
        frame = merged.tables[key].to_pandas()
        Labels.validate(frame)
        assert frame["clip_id"].tolist() == load()["clip_id"].to_pylist()
        for row in frame.itertuples():
            sides.setdefault(row.video_id, set()).add(row.split)
            assert list(row.targets) == sorted(set(row.targets))
            assert all(0 <= weight <= 1 for weight in row.weights)
            counts[row.targets] += 1
        review = json.loads(merged.tables[key].schema.metadata[b"review"])
        for funnel in review["funnel"].values():
            steps = ("stored", "over_threshold")
            later = ("candidate", "under_rate", "agreed", "in_vocabulary", "kept")
            assert funnel[steps[0]] >= funnel[steps[1]]
            assert [funnel[step] for step in later] == sorted((funnel[step] for step in later), reverse=True)
        assert 0 <= review["agreeing"] <= review["both"] <= len(frame)
    assert all(len(side) == 1 for side in sides.values())
    assert counts.tolist() == merged.vocabulary["clip_count"].tolist()
    assert merged.vocabulary["index"].tolist() == list(range(len(merged.vocabulary)))
    assert merged.vocabulary["name"].str.casefold().is_monotonic_increasing
    assert not set(merged.vocabulary["name"]) & set(merged.dropped["name"])
