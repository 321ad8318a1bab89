"""Nodes of `audio_label`."""

from __future__ import annotations

from xmodal_kedro.params import AudioLabelParams, AudioTeacherCard
from xmodal_kedro.storage import DataFrame, Folder, ShardJobs, Shards


def label_audio(
    clips: Shards, audio_teacher_files: Folder, audio_teacher: AudioTeacherCard, audio_label: AudioLabelParams
) -> ShardJobs:
    """Label the audio of each clip; the teacher is checked before the first shard."""
    from xmodal_kedro.teachers.labelling import label_clips

    return label_clips(clips, audio_teacher_files, audio_teacher, audio_label)


def embed_audio(
    clips: Shards, audio_teacher_files: Folder, audio_teacher: AudioTeacherCard, audio_label: AudioLabelParams
) -> ShardJobs:
    """Store the teacher's embedding of each clip, if `audio_label.embeddings` is true."""
    from xmodal_kedro.teachers.embeddings import embed_clips

    return embed_clips(clips, audio_teacher_files, audio_teacher, audio_label)


def list_audio_classes(audio_teacher_files: Folder, audio_teacher: AudioTeacherCard) -> tuple[DataFrame, DataFrame]:
    """The teacher's classes, and their ontology, which is empty if the card names none."""
    from xmodal_kedro.labels.ontology import empty_ontology, read_ontology
    from xmodal_kedro.labels.sounds import audio_classes

    file_name = audio_teacher.ontology
    ontology = read_ontology(audio_teacher_files.file(file_name)) if file_name else empty_ontology()
    return audio_classes(audio_teacher, audio_teacher_files, ontology), ontology
