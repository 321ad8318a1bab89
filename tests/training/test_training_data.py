from __future__ import annotations

import pyarrow.compute as pc
import pytest

from tests.fakes import MemoryShard
from tests.tones import TONES_HZ, VOCABULARY, clip_ids, frame_embeddings, tone_embeddings, tone_params, tone_shards
from xmodal_kedro.errors import UserError
from xmodal_kedro.schemas import TEACHER_EMBEDDINGS_ARROW
from xmodal_kedro.training.student import Heads
from xmodal_kedro.training.training_data import prepare_training_data

CLIPS, LABELS = tone_shards(shards=2)


def test_embeddings_are_looked_at_where_they_are_learnt_alone() -> None:
    params, learnt = tone_params(), tone_params(embedding_weight=1.0)
    data = prepare_training_data(CLIPS, LABELS, VOCABULARY, learnt, {"audio": tone_embeddings()})
    assert (
        data.heads(learnt) == Heads(audio_embedding=4)
        and prepare_training_data(CLIPS, LABELS, VOCABULARY, params, {"audio": tone_embeddings()}).heads(params)
        == Heads()
    )
    assert prepare_training_data(CLIPS, LABELS, VOCABULARY, params).shards != data.shards
    with pytest.raises(ValueError, match=r"embedding_weight is set, but teacher_embeddings has no shard shard-00000"):
        prepare_training_data(CLIPS, LABELS, VOCABULARY, learnt)


def test_visual_embeddings_are_looked_at_where_they_are_learnt_and_change_what_is_learnt_from() -> None:
    stored = {"audio": tone_embeddings(), "visual": frame_embeddings()}
    params, learnt = tone_params(embedding_weight=1.0), tone_params(embedding_weight=1.0, visual_embedding_weight=0.5)
    plain = prepare_training_data(CLIPS, LABELS, VOCABULARY, params, stored)
    both = prepare_training_data(CLIPS, LABELS, VOCABULARY, learnt, stored)
    assert plain.heads(params).visual_embedding is None
    statistics = both.heads(learnt).visual_embedding
    assert statistics is not None and len(statistics.mean_E) == 6 and both.heads(learnt).audio_embedding == 4
    assert both.shards != plain.shards
    with pytest.raises(
        UserError, match=r"visual_embedding_weight.*visual_teacher_embeddings.*visual_label\.embeddings"
    ):
        prepare_training_data(CLIPS, LABELS, VOCABULARY, learnt, {"audio": tone_embeddings()})


def test_visual_embeddings_of_a_corpus_without_frames_are_refused() -> None:
    empty = MemoryShard(TEACHER_EMBEDDINGS_ARROW.empty_table().replace_schema_metadata({"embedding_size": "0"}))
    learnt = tone_params(visual_embedding_weight=0.5)
    with pytest.raises(UserError, match=r"train\.visual_embedding_weight.*no clip has frames"):
        prepare_training_data(CLIPS, LABELS, VOCABULARY, learnt, {"visual": dict.fromkeys(LABELS, empty)})


def only(split: str) -> dict[str, MemoryShard]:
    tables = {key: shard() for key, shard in LABELS.items()}
    return {key: MemoryShard(table.filter(pc.equal(table["split"], split))) for key, table in tables.items()}


def test_counts_the_splits_and_orders_the_classes_by_index() -> None:
    data = prepare_training_data(CLIPS, LABELS, VOCABULARY.iloc[::-1], tone_params())
    assert data.train.groups.clips == len(clip_ids("train", 32))
    assert data.validation.groups.clips == len(clip_ids("validation", 32))
    assert data.classes == list(TONES_HZ)


def test_the_fingerprint_follows_clips_labels_and_vocabulary() -> None:
    params = tone_params()
    fingerprint = prepare_training_data(CLIPS, LABELS, VOCABULARY, params).fingerprint
    other_clips, other_labels = tone_shards(shards=2, duration_s=1.1)
    assert fingerprint == prepare_training_data(*tone_shards(shards=2), VOCABULARY, params).fingerprint
    assert fingerprint != prepare_training_data(other_clips, LABELS, VOCABULARY, params).fingerprint
    assert (
        fingerprint
        != prepare_training_data(
            CLIPS, {**LABELS, "shard-00000": only("train")["shard-00000"]}, VOCABULARY, params
        ).fingerprint
    )
    renamed = VOCABULARY.assign(name=["a", "b", "c"])
    assert (
        other_labels.keys() == LABELS.keys()
        and fingerprint != prepare_training_data(CLIPS, LABELS, renamed, params).fingerprint
    )


def test_a_clip_shard_without_labels_is_an_error_that_names_it() -> None:
    one = {"shard-00001": LABELS["shard-00001"]}
    with pytest.raises(ValueError, match=r"the shard shard-00000 has no labels: run the pipelines visual_label, audio"):
        prepare_training_data(CLIPS, one, VOCABULARY, tone_params())


def test_batches_too_small_to_share_are_an_error() -> None:
    with pytest.raises(
        ValueError, match=r"of the 20 labelled clips to train on leaves less than 2 to each of train\.dev"
    ):
        prepare_training_data(CLIPS, LABELS, VOCABULARY, tone_params(devices=2, accumulate=2, batch_size=8))


def test_validation_takes_no_more_clips_than_asked_for_and_a_row_group() -> None:
    data = prepare_training_data(CLIPS, LABELS, VOCABULARY, tone_params(validation_clips=2))
    assert 2 <= data.validation.groups.clips < len(clip_ids("validation", 32))


def test_an_empty_vocabulary_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"label_vocabulary is empty: lower merge_labels\.min_clips"):
        prepare_training_data(CLIPS, LABELS, VOCABULARY.iloc[:0], tone_params())


def test_a_label_shard_without_its_clips_is_an_error_that_names_it() -> None:
    one = {"shard-00000": CLIPS["shard-00000"]}
    with pytest.raises(ValueError, match=r"the shard shard-00001 has no clips: run the pipelines"):
        prepare_training_data(one, LABELS, VOCABULARY, tone_params())


@pytest.mark.parametrize(
    ("split", "message"), [("validation", "no labelled clip to train on"), ("train", "no labelled clip to validate on")]
)
def test_a_split_without_clips_is_an_error(split: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        prepare_training_data(CLIPS, only(split), VOCABULARY, tone_params())
