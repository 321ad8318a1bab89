"""The pipeline `export_dataset`: the labelled clips for other libraries."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from .nodes import describe_clips, export_clips, write_dataset_card

CORPUS = ("clips", "labels", "label_vocabulary", "videos", "source_licences", "params:export_dataset")
TEACHERS = ("visual_teacher_files", "audio_teacher_files", "params:visual_teacher", "params:audio_teacher")


def create_pipeline(**_kwargs: object) -> Pipeline:
    """clips, labels -> huggingface_files, webdataset_files, dataset_readme"""
    return Pipeline(
        [
            Node(
                export_clips,
                inputs=list(CORPUS),
                outputs=["huggingface_files", "webdataset_files"],
                name="export_clips",
            ),
            Node(describe_clips, inputs=list(CORPUS), outputs="dataset_description", name="describe_clips"),
            Node(
                write_dataset_card,
                inputs=["dataset_description", "huggingface_files", *TEACHERS],
                outputs="dataset_readme",
                name="write_dataset_card",
            ),
        ]
    )
