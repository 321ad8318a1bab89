"""Nodes of `review`."""

from __future__ import annotations

from xmodal_kedro.params import AudioLabelParams, AudioTeacherCard, MergeParams, ReviewParams
from xmodal_kedro.storage import DataFrame, Folder, ShardJobs, Shards


def sample_labels(
    clips: Shards,
    visual_labels: Shards,
    audio_labels: Shards,
    candidate_classes: DataFrame,
    label_classes: DataFrame,
    label_vocabulary: DataFrame,
    merge_labels: MergeParams,
    review: ReviewParams,
) -> ShardJobs:
    """Draw clips of each class, modality and bin of scores, shard by shard."""
    from xmodal_kedro.labels.plan import used_teachers
    from xmodal_kedro.review.strata import Strata, sample_jobs

    strata = Strata.of(candidate_classes, label_classes, label_vocabulary, review)
    return sample_jobs(clips, used_teachers(visual_labels, audio_labels, merge_labels), strata)


def pool_samples(review_samples: Shards, review: ReviewParams) -> DataFrame:
    """The first clips of the draw of each stratum of the corpus."""
    from xmodal_kedro.review.strata import pool_of

    return pool_of(review_samples, review.score_bins)


def choose_questions(
    review_pool: DataFrame,
    review_answers: Folder,
    review_suspects: DataFrame,
    clips: Shards,
    audio_teacher_files: Folder,
    audio_teacher: AudioTeacherCard,
    audio_label: AudioLabelParams,
    review: ReviewParams,
) -> DataFrame:
    """What people are asked next, as far as they have not answered it."""
    from xmodal_kedro.review.embedding import ClipEmbedder, representation_of
    from xmodal_kedro.review.questions import questions

    represent = representation_of(audio_teacher, audio_teacher_files, audio_label.device)
    embed = ClipEmbedder(clips, represent)
    return questions(review_pool, review_answers, review_suspects, clips, review, embed)


def write_review_page(
    review_questions: DataFrame, clips: Shards, videos: DataFrame, candidate_classes: DataFrame
) -> str:
    """The page on which people answer, one HTML file that needs nothing beside it."""
    from xmodal_kedro.reports.review import ReviewPage

    return ReviewPage(review_questions, clips, videos, list(candidate_classes["name"])).render()
