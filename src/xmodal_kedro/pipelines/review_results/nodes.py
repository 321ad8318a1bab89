"""Nodes of `review_results`."""

from __future__ import annotations

from xmodal_kedro.params import AudioLabelParams, AudioTeacherCard, MergeParams, ReviewParams
from xmodal_kedro.storage import DataFrame, Folder, Shards


def combine_answers(review_answers: Folder, clips: Shards) -> tuple[DataFrame, DataFrame]:
    """The answers of all reviewers taken together, and how far they agree."""
    from xmodal_kedro.review.agreement import reviewer_agreement
    from xmodal_kedro.review.answers import combine_answers, known_answers, read_answers

    answers = known_answers(read_answers(review_answers), clips, review_answers.root)
    return combine_answers(answers), reviewer_agreement(answers)


def estimate_precision(
    review_pool: DataFrame, reviewed_clips: DataFrame, review: ReviewParams
) -> tuple[DataFrame, DataFrame]:
    """How precise labels of each class are by score, and the thresholds that keep the wanted precision."""
    from xmodal_kedro.review.precision import class_precision, precision_thresholds

    precision = class_precision(review_pool, reviewed_clips, review)
    return precision, precision_thresholds(precision, review)


def find_suspects(
    review_pool: DataFrame,
    reviewed_clips: DataFrame,
    clips: Shards,
    audio_teacher_files: Folder,
    audio_teacher: AudioTeacherCard,
    audio_label: AudioLabelParams,
    review: ReviewParams,
) -> DataFrame:
    """Answers and labels that are unlikely, and questions on which reviewers differ."""
    from xmodal_kedro.review import suspects
    from xmodal_kedro.review.clips import find_clips
    from xmodal_kedro.review.embedding import ClipEmbedder, representation_of

    embed = ClipEmbedder(clips, representation_of(audio_teacher, audio_teacher_files, audio_label.device))
    spans = find_clips(clips, reviewed_clips["clip_id"])
    return suspects.find_suspects(reviewed_clips, review_pool, spans, embed, review)


def confirm_truth(
    reviewed_clips: DataFrame,
    clips: Shards,
    videos: DataFrame,
    visual_labels: Shards,
    audio_labels: Shards,
    candidate_classes: DataFrame,
    label_classes: DataFrame,
    merge_labels: MergeParams,
) -> DataFrame:
    """Clips of which all labels that count were judged, with what is heard in them, as a truth for `label_check`."""
    from xmodal_kedro.labels.class_map import ClassMap
    from xmodal_kedro.labels.plan import used_teachers
    from xmodal_kedro.review.clips import find_clips
    from xmodal_kedro.review.truth import reviewed_truth

    teachers = used_teachers(visual_labels, audio_labels, merge_labels)
    spans = find_clips(clips, reviewed_clips["clip_id"])
    classes = ClassMap.of(candidate_classes, label_classes)
    return reviewed_truth(reviewed_clips, spans, videos, clips, teachers, classes, merge_labels)


def keep_confirmed(reviewed_clips: DataFrame, clips: Shards) -> DataFrame:
    """The clips of which some class was judged, with their sound, for `adapt`."""
    from xmodal_kedro.review.confirmed import confirmed_clips

    return confirmed_clips(reviewed_clips, clips)


def report_review(
    class_precision: DataFrame,
    precision_thresholds: DataFrame,
    reviewed_clips: DataFrame,
    reviewer_agreement: DataFrame,
    review_suspects: DataFrame,
    clips: Shards,
    videos: DataFrame,
    review: ReviewParams,
) -> tuple[dict[str, float], str]:
    """The results as metrics, and as an HTML page."""
    from xmodal_kedro.reports.review_results import ReviewResults
    from xmodal_kedro.review.clips import find_clips
    from xmodal_kedro.review.summary import metrics

    summary = metrics(reviewed_clips, reviewer_agreement, precision_thresholds)
    spans = find_clips(clips, review_suspects["clip_id"]).merge(videos[["video_id", "uri"]], on="video_id", how="left")
    suspects = review_suspects.merge(spans.drop(columns="shard"), on="clip_id")
    results = ReviewResults(class_precision, precision_thresholds, reviewer_agreement, suspects, summary, review)
    return summary, results.render()
