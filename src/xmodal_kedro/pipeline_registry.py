"""The project's pipelines by name."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from kedro.pipeline import Node, Pipeline

MAIN_LINE = ("ingest", "clip", "visual_label", "audio_label", "merge_labels", "train", "transfer_eval")
BESIDE = (
    "sample",
    "label_check",
    "review",
    "review_results",
    "tag_thresholds",
    "adapt",
    "compare",
    "summary",
    "export",
    "export_classifier",
    "embed",
    "export_events",
    "export_labels",
    "export_map",
    "export_dataset",
)
"""Packages of `pipelines`: those of the main line in its order, and the others."""


def register_pipelines() -> dict[str, Pipeline]:
    """Each pipeline under its own name, and the main line, from videos to a transfer result, as the default."""
    pipelines = _in_namespaces((*MAIN_LINE, *BESIDE))
    main_line = sum((pipelines[name] for name in MAIN_LINE), Pipeline([]))
    return {"__default__": main_line, **pipelines}


def _in_namespaces(names: Iterable[str]) -> dict[str, Pipeline]:
    """Pipelines whose nodes have the pipeline's name as namespace, by which Kedro-Viz draws it as a box that opens.

    Datasets have none: they are what pipelines share. A node that several share is the first one's.
    """
    owned: dict[Node, Pipeline] = {}
    pipelines = {}
    for name in names:
        nodes = import_module(f"xmodal_kedro.pipelines.{name}").create_pipeline().nodes
        for node in nodes:
            owned.setdefault(node, Pipeline([node], namespace=name, prefix_datasets_with_namespace=False))
        pipelines[name] = Pipeline([owned[node] for node in nodes])
    return pipelines
