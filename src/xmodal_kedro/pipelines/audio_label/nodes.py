"""Nodes of `audio_label`."""

from __future__ import annotations

from xmodal_kedro.handles import Folder, ShardJobs, Shards
from xmodal_kedro.params import AudioTeacherCard, LabelParams


def label_audio(
    clips: Shards, audio_teacher_files: Folder, audio_teacher: AudioTeacherCard, audio_label: LabelParams
) -> ShardJobs:
    """Label the sound of each clip; the teacher is checked before the first shard."""
    from xmodal_kedro.labelling.label import label_clips

    return label_clips(clips, audio_teacher_files, audio_teacher, audio_label)
