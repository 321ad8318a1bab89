"""The project's pipelines by name."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from xmodal_kedro.pipelines import (
    audio_label,
    clip,
    compare,
    embed,
    export,
    ingest,
    label_check,
    merge_labels,
    sample,
    train,
    transfer_eval,
    visual_label,
)

MAIN_LINE = (ingest, clip, visual_label, audio_label, merge_labels, train, transfer_eval)
BESIDE = (sample, label_check, compare, export, embed)


def register_pipelines() -> dict[str, Pipeline]:
    """Each pipeline under its own name, and the main line, from videos to a transfer result, as the default."""
    pipelines = {module.__name__.rpartition(".")[2]: module.create_pipeline() for module in (*MAIN_LINE, *BESIDE)}
    main_line = sum((pipelines[module.__name__.rpartition(".")[2]] for module in MAIN_LINE), Pipeline([]))
    return {"__default__": main_line, **pipelines}
