"""Nodes of the pipeline `export_dataset`."""

from __future__ import annotations

from functools import partial
from typing import Any

from xmodal_kedro.params import AudioTeacherCard, ExportDatasetParams, TeacherCard, VisualTeacherCard
from xmodal_kedro.storage import DataFrame, Folder, Shards


def export_clips(
    clips: Shards,
    labels: Shards,
    label_vocabulary: DataFrame,
    videos: DataFrame,
    source_licences: dict[str, str],
    export_dataset: ExportDatasetParams,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Jobs that write the clips as Parquet for `datasets`, and as tar files for `webdataset`, shard by shard.

    Raises:
        UserError: if clips and labels do not have the same shards, or no clip has a label.
    """
    from xmodal_kedro.exports.corpus import class_names, clip_sources
    from xmodal_kedro.exports.huggingface import huggingface_files
    from xmodal_kedro.exports.webdataset import class_file, webdataset_files

    sources = clip_sources(clips, labels, videos, source_licences, unlabelled=export_dataset.clips == "all")
    names = class_names(label_vocabulary)
    made: dict[str, dict[str, Any]] = {"huggingface": {}, "webdataset": {}}
    for form, job in (("huggingface", huggingface_files), ("webdataset", webdataset_files)):
        if form in export_dataset.formats:
            how = (names, export_dataset.frame, export_dataset.audio)
            made[form] = {key: partial(job, key, source, *how) for key, source in sources.items()}
    if made["webdataset"]:
        made["webdataset"]["classes"] = partial(class_file, names)
    return made["huggingface"], made["webdataset"]


def describe_clips(
    clips: Shards,
    labels: Shards,
    label_vocabulary: DataFrame,
    videos: DataFrame,
    source_licences: dict[str, str],
    export_dataset: ExportDatasetParams,
) -> Any:
    """Counts of what is written: clips, hours, recordings and classes of each split, and licences."""
    from xmodal_kedro.exports.corpus import class_names, clip_sources
    from xmodal_kedro.exports.counts import CorpusCounts

    sources = clip_sources(clips, labels, videos, source_licences, unlabelled=export_dataset.clips == "all")
    return CorpusCounts.of(sources, class_names(label_vocabulary), export_dataset.frame)


def write_dataset_card(
    dataset_description: Any,
    huggingface_files: Folder,
    visual_teacher_files: Folder,
    audio_teacher_files: Folder,
    visual_teacher: VisualTeacherCard,
    audio_teacher: AudioTeacherCard,
) -> str:
    """The card for readers and for the hub, in Markdown with a head in YAML."""
    from xmodal_kedro.exports.card import describe_dataset

    visual, audio = _teacher(visual_teacher, visual_teacher_files), _teacher(audio_teacher, audio_teacher_files)
    return describe_dataset(dataset_description, huggingface_files, visual, audio)


def _teacher(card: TeacherCard, files: Folder) -> Any:
    """The model that labels with a card: the recorded one, or else the one that it names."""
    from xmodal_kedro.exports.card import Teacher
    from xmodal_kedro.teachers.hub import in_folder, read_record

    if (model := read_record(card, files.note)) is not None:
        return Teacher(model.name, card.backend, model.commit or model.revision, model.licence)
    is_of_hub = card.backend in ("transformers", "contrastive") and not in_folder(card.weights, files)
    return Teacher(card.weights, card.backend, card.revision if is_of_hub else "")
