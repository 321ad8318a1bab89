"""Nodes of `visual_label`."""

from __future__ import annotations

from xmodal_kedro.params import LabelParams, VisualTeacherCard
from xmodal_kedro.storage import DataFrame, Folder, ShardJobs, Shards


def embed_frames_for_prompts(
    clips: Shards, visual_teacher_files: Folder, visual_teacher: VisualTeacherCard, visual_label: LabelParams
) -> ShardJobs:
    """Embed the frames of each clip with a contrastive teacher; no job for another one."""
    from xmodal_kedro.teachers.prompted_labels import embedding_jobs

    return embedding_jobs(clips, visual_teacher_files, visual_teacher, visual_label)


def embed_visual_prompts(
    visual_clip_embeddings: Shards,
    visual_teacher_files: Folder,
    visual_teacher: VisualTeacherCard,
    visual_label: LabelParams,
) -> DataFrame:
    """Embed the prompts of a contrastive teacher's classes, and calibrate their scores on the corpus."""
    from xmodal_kedro.teachers.prompted_labels import describe_prompts

    return describe_prompts(visual_clip_embeddings, visual_teacher_files, visual_teacher, visual_label)


def label_frames(
    clips: Shards,
    visual_clip_embeddings: Shards,
    visual_prompts: DataFrame,
    visual_teacher_files: Folder,
    visual_teacher: VisualTeacherCard,
    visual_label: LabelParams,
) -> ShardJobs:
    """Label the frames of each clip; the teacher is checked before the first shard."""
    from xmodal_kedro.params.teachers import CONTRASTIVE

    if visual_teacher.backend == CONTRASTIVE:
        from xmodal_kedro.teachers.prompted_labels import labelling_jobs

        return labelling_jobs(clips, visual_clip_embeddings, visual_prompts, visual_teacher, visual_label)
    from xmodal_kedro.teachers.labelling import label_clips

    return label_clips(clips, visual_teacher_files, visual_teacher, visual_label)


def embed_frames(
    clips: Shards,
    visual_clip_embeddings: Shards,
    visual_teacher_files: Folder,
    visual_teacher: VisualTeacherCard,
    visual_label: LabelParams,
) -> ShardJobs:
    """Store the teacher's embedding of each clip that has frames, if `visual_label.embeddings` is true."""
    from xmodal_kedro.teachers.embeddings import embed_clips

    return embed_clips(clips, visual_clip_embeddings, visual_teacher_files, visual_teacher, visual_label)


def list_visual_classes(visual_teacher_files: Folder, visual_teacher: VisualTeacherCard) -> DataFrame:
    """The teacher's classes, and the sounds that they make."""
    from xmodal_kedro.labels.sounds import visual_classes

    return visual_classes(visual_teacher, visual_teacher_files)
