"""Nodes of `audio_label`."""

from __future__ import annotations

from xmodal_kedro.params import AudioLabelParams, AudioTeacherCard
from xmodal_kedro.storage import DataFrame, Folder, ShardJobs, Shards


def embed_audio_for_prompts(
    clips: Shards, audio_teacher_files: Folder, audio_teacher: AudioTeacherCard, audio_label: AudioLabelParams
) -> ShardJobs:
    """Embed the audio of each clip with a contrastive teacher; no job for another one."""
    from xmodal_kedro.teachers.prompted_labels import embedding_jobs

    return embedding_jobs(clips, audio_teacher_files, audio_teacher, audio_label)


def embed_audio_prompts(
    audio_clip_embeddings: Shards,
    audio_teacher_files: Folder,
    audio_teacher: AudioTeacherCard,
    audio_label: AudioLabelParams,
) -> DataFrame:
    """Embed the prompts of a contrastive teacher's classes, and calibrate their scores on the corpus."""
    from xmodal_kedro.teachers.prompted_labels import describe_prompts

    return describe_prompts(audio_clip_embeddings, audio_teacher_files, audio_teacher, audio_label)


def label_audio(
    clips: Shards,
    audio_clip_embeddings: Shards,
    audio_prompts: DataFrame,
    audio_teacher_files: Folder,
    audio_teacher: AudioTeacherCard,
    audio_label: AudioLabelParams,
) -> ShardJobs:
    """Label the audio of each clip; the teacher is checked before the first shard."""
    from xmodal_kedro.params.teachers import CONTRASTIVE

    if audio_teacher.backend == CONTRASTIVE:
        from xmodal_kedro.teachers.prompted_labels import labelling_jobs

        return labelling_jobs(clips, audio_clip_embeddings, audio_prompts, audio_teacher, audio_label)
    from xmodal_kedro.teachers.labelling import label_clips

    return label_clips(clips, audio_teacher_files, audio_teacher, audio_label)


def embed_audio(
    clips: Shards,
    audio_clip_embeddings: Shards,
    audio_teacher_files: Folder,
    audio_teacher: AudioTeacherCard,
    audio_label: AudioLabelParams,
) -> ShardJobs:
    """Store the teacher's embedding of each clip, if `audio_label.embeddings` is true."""
    from xmodal_kedro.teachers.embeddings import embed_clips

    return embed_clips(clips, audio_clip_embeddings, audio_teacher_files, audio_teacher, audio_label)


def score_audio_views(
    clips: Shards, audio_teacher_files: Folder, audio_teacher: AudioTeacherCard, audio_label: AudioLabelParams
) -> ShardJobs:
    """Score parts of each clip by themselves, if `audio_label.views.count` is above 0."""
    from xmodal_kedro.teachers.views import score_views

    return score_views(clips, audio_teacher_files, audio_teacher, audio_label)


def list_audio_classes(audio_teacher_files: Folder, audio_teacher: AudioTeacherCard) -> tuple[DataFrame, DataFrame]:
    """The teacher's classes, and their ontology, which is empty if the card names none."""
    from xmodal_kedro.labels.ontology import empty_ontology, read_ontology
    from xmodal_kedro.labels.sounds import audio_classes

    file_name = audio_teacher.ontology
    ontology = read_ontology(audio_teacher_files.file(file_name)) if file_name else empty_ontology()
    return audio_classes(audio_teacher, audio_teacher_files, ontology), ontology
