"""Merging labels: max rates and caps that limit frequent classes."""

import numpy as np
import pyarrow as pa

from tests.labels.merging import Corpus, audio_classes, corpus_of, merge, merge_params, ontology, visual_classes
from xmodal_kedro.labels.class_map import ClassMap
from xmodal_kedro.labels.counts import LabelCounter
from xmodal_kedro.labels.match import match_classes
from xmodal_kedro.labels.selection import ShardClips
from xmodal_kedro.labels.vocabulary import build_vocabulary


def speech_corpus(clips: int, score: float = 1.0) -> Corpus:
    """Clips that all have the label `Speech`; every tenth also has `Rain`."""
    names = [f"{number:032x}-00000000" for number in range(clips)]
    audio = [(name, "Speech", score) for name in names] + [(name, "Rain", score) for name in names[::10]]
    return corpus_of({"s": [(name, name[:32]) for name in names]}, {}, {"s": audio})


def test_a_max_rate_limits_a_class_whose_scores_are_all_equal() -> None:
    merged = merge(speech_corpus(400), merge_params(audio={"threshold": 0.3, "top_k": 2, "max_rate": 0.2}))
    counts = merged.vocabulary.set_index("name")["clip_count"]
    assert 60 <= counts["Speech"] <= 80
    assert counts["Rain"] == 40
    limited = merged.thresholds.set_index("name")
    assert limited.loc["Speech", ["clips", "kept_clips"]].tolist() == [400, counts["Speech"]]
    assert limited.loc["Rain", "cut"] == 0


def test_a_rate_keeps_the_best_scores() -> None:
    names = [f"{number:032x}" for number in range(100)]
    audio = [(name, "Speech", 0.3 + number * 0.007) for number, name in enumerate(names)]
    corpus = corpus_of({"s": [(name, name) for name in names]}, {}, {"s": audio})
    merged = merge(corpus, merge_params(audio={"threshold": 0.3, "top_k": 2, "max_rate": 0.25}))
    kept = [name for name, targets in merged.named_targets().items() if targets]
    assert kept == names[-len(kept) :]
    assert 22 <= len(kept) <= 25


def test_a_cap_keeps_an_even_draw_of_frequent_classes_and_all_of_rare_ones() -> None:
    merged = merge(speech_corpus(600), merge_params(max_clips=90))
    counts = merged.vocabulary.set_index("name")["clip_count"]
    assert (counts["Rain"], counts["Speech"] <= 90, counts["Speech"] > 80) == (60, True, True)
    assert sum("Speech" in targets for targets in merged.named_targets().values()) == counts["Speech"]


def test_capped_classes_lose_the_same_clips() -> None:
    names = [f"{number:032x}" for number in range(300)]
    audio = [(name, label, 0.9) for name in names for label in ("Speech", "Rain")]
    merged = merge(corpus_of({"s": [(name, name) for name in names]}, {}, {"s": audio}), merge_params(max_clips=50))
    assert {len(targets) for targets in merged.named_targets().values()} == {0, 2}


def test_a_cap_is_met_closely_at_any_class_frequency() -> None:
    classes = ClassMap.of(*match_classes(visual_classes(), audio_classes(), ontology(), merge_params()))
    targets = LabelCounter()
    clips, speech = 5_000_000, classes.names.index("Speech")
    draws = np.random.default_rng(0).integers(0, 1 << 32, clips)
    shard = ShardClips(pa.nulls(clips, pa.string()), pa.nulls(clips, pa.string()), draws, np.zeros(clips, bool))
    targets.add("targets", "audio", np.full(clips, speech), shard.draw_bin)
    for cap in (20, 1000, 400_000):
        vocabulary, _ = build_vocabulary(targets, targets, classes, merge_params(max_clips=cap))
        kept = vocabulary.set_index("name").loc["Speech", "clip_count"]
        assert 0.9 * cap - 2 <= kept <= cap
