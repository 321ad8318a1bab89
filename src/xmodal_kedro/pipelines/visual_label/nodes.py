"""Nodes of `visual_label`."""

from __future__ import annotations

from xmodal_kedro.params import LabelParams, VisualTeacherCard
from xmodal_kedro.storage import DataFrame, Folder, ShardJobs, Shards


def label_frames(
    clips: Shards, visual_teacher_files: Folder, visual_teacher: VisualTeacherCard, visual_label: LabelParams
) -> ShardJobs:
    """Label the frames of each clip; the teacher is checked before the first shard."""
    from xmodal_kedro.teachers.labelling import label_clips

    return label_clips(clips, visual_teacher_files, visual_teacher, visual_label)


def list_visual_classes(visual_teacher_files: Folder, visual_teacher: VisualTeacherCard) -> DataFrame:
    """The teacher's classes, and the sounds that they make."""
    from xmodal_kedro.labels.sounds import visual_classes

    return visual_classes(visual_teacher, visual_teacher_files)
