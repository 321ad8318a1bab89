"""What a run has come to, in one message at its end."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

import fsspec
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from xmodal_kedro.datasets.content import place_of
from xmodal_kedro.wording import counted

logger = logging.getLogger(__name__)

TOP_REASONS = 3
MAX_FOOTERS = 512
"""Shards whose rows are counted: each takes a request to the storage."""
REPORTS = (
    "label_report",
    "label_check_report",
    "review_page",
    "review_results_page",
    "transfer_report",
    "compare_report",
    "summary_report",
)
WITHOUT_BENCHMARK = (
    "none, so that the network is not judged; --params esc50=auto fetches ESC-50 (600 MB, CC BY-NC 3.0) and says what "
    "the network is worth on sounds that people labelled; docs/benchmarks.md has others"
)


class SummaryHooks:
    """Says at the end of a run what became of the files, what was learnt, and where the reports are.

    It reads small tables and footers, never the content of shards.
    """

    @hook_impl(trylast=True)
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        try:
            lines = list(summary_lines(run_params, pipeline, catalog))
        except Exception as error:  # the work is done: what cannot be summed up must not fail it
            logger.warning("the run cannot be summed up: %s", error)
            return
        if lines:
            logger.info("done:\n%s", "\n".join(f"  {name:<10} {text}" for name, text in lines))


def summary_lines(run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> Iterator[tuple[str, str]]:
    """Name and text of each line, for what the pipeline makes."""
    made = pipeline.all_outputs()
    yield from _of_recordings(made, catalog)
    yield from _of_labels(made, catalog)
    if "model_weights" in made:
        yield "network", _network(catalog)
        if not run_params.get("pipeline_names") and "transfer_metrics" not in made:
            yield "benchmark", WITHOUT_BENCHMARK
    if "transfer_metrics" in made:
        yield "benchmark", _judged(catalog)
    for name in REPORTS:
        if name in made and catalog.exists(name):
            yield "report", place_of(catalog[name])


def _of_recordings(made: set[str], catalog: DataCatalog) -> Iterator[tuple[str, str]]:
    if {"videos", "rejected_videos"} <= made:
        yield "files", _files(catalog, clipped="unclipped_videos" in made)
    if "clips" in made:
        yield "clips", _clips(catalog)


def _of_labels(made: set[str], catalog: DataCatalog) -> Iterator[tuple[str, str]]:
    for modality in ("visual", "audio"):
        if f"{modality}_labels" in made:
            yield f"{modality}", _teacher(catalog, modality)
    if "label_vocabulary" in made:
        yield "classes", _classes(catalog)


def _files(catalog: DataCatalog, clipped: bool) -> str:
    usable, rejected = _column(catalog, "videos", "uri"), _column(catalog, "rejected_videos", "reason")
    unclipped = _column(catalog, "unclipped_videos", "reason") if clipped else []
    in_part = len(_column(catalog, "cut_short_videos", "reason")) if clipped else 0
    reasons = Counter([*rejected, *unclipped])
    used = f"{len(usable) - len(unclipped):,} of {len(usable) + len(rejected):,} used"
    text = f"{used}, {in_part:,} of them in part" if in_part else used
    if not reasons:
        return text
    shown = [f"{count:,} {reason}" for reason, count in reasons.most_common(TOP_REASONS)]
    more = [f"{len(reasons) - TOP_REASONS} more reasons"] if len(reasons) > TOP_REASONS else []
    places = [place_of(catalog[name]) for name, found in _unused(rejected, unclipped) if found]
    return f"{text}; not used: {', '.join([*shown, *more])}; see {' and '.join(places)}"


def _unused(rejected: list[Any], unclipped: list[Any]) -> tuple[tuple[str, list[Any]], ...]:
    return ("rejected_videos", rejected), ("unclipped_videos", unclipped)


def _clips(catalog: DataCatalog) -> str:
    seconds = sum(_column(catalog, "videos", "duration_s")) if catalog.exists("videos") else 0.0
    shards = catalog.load("clips")
    known = len(shards) <= MAX_FOOTERS
    count = counted(sum(shard.num_rows for shard in shards.values()), "clip") if known else "clips"
    return f"{count} in {counted(len(shards), 'shard')}, from {seconds / 3600:,.2f} hours of recordings"


def _teacher(catalog: DataCatalog, modality: str) -> str:
    note = getattr(catalog[f"{modality}_teacher_files"], "note", None)
    facts = note.read() if note else None
    if not facts:
        return str(catalog.load(f"params:{modality}_teacher").weights)
    commit = f" at commit {facts['commit']}" if facts.get("commit") else ""
    return f"{facts['name']}{commit}, licence {facts.get('licence') or 'not known'}"


def _classes(catalog: DataCatalog) -> str:
    names = _column(catalog, "label_vocabulary", "name")
    shown = "; ".join(names[:TOP_REASONS])  # names have commas
    return f"{len(names):,}: {shown}{' and others' if len(names) > TOP_REASONS else ''}"


def _network(catalog: DataCatalog) -> str:
    card = catalog.load("model_card")
    place = place_of(catalog["model_weights"]).rpartition("/")[0]
    return f"{place}, mAP {card['best']['validation_map']:.3f} against the labels of held-out clips"


def _judged(catalog: DataCatalog) -> str:
    metrics = catalog.load("transfer_metrics")
    shown = {name: value for name, value in metrics.items() if ".pretrained." in name}
    return ", ".join(f"{name} {value:.3f}" for name, value in sorted(shown.items()))


def _column(catalog: DataCatalog, name: str, column: str) -> list[Any]:
    """One column of a small table, which may be in any storage."""
    from xmodal_kedro.datasets.parquet import read_rows

    fs, path = fsspec.url_to_fs(place_of(catalog[name]))
    with fs.open(path, "rb") as stream:
        values: list[Any] = read_rows(stream, [column])[column].to_pylist()
    return values
