"""Fetches a benchmark before a run that asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from xmodal_kedro.datasets.content import place_of
from xmodal_kedro.errors import UserError
from xmodal_kedro.params.choices import BENCHMARKS
from xmodal_kedro.params.places import AUTO
from xmodal_kedro.storage import local_path

FILES = "benchmark_files"


class BenchmarkHooks:
    """Fetches the benchmark of a run whose parameters say `NAME=auto`, before its inputs are checked.

    Raises:
        click.ClickException: if it cannot be fetched; names the remedy.
    """

    @hook_impl(tryfirst=True)  # of hooks that are first, the last one in `settings.HOOKS`
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        for problem in _fetch(run_params, pipeline, catalog):
            raise click.ClickException(problem)


def _fetch(run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> Iterator[str]:
    given = run_params.get("runtime_params") or {}
    asked = sorted(name for name in given.keys() & BENCHMARKS if given[name] == AUTO)
    if not asked or FILES not in pipeline.inputs():
        return
    from xmodal_kedro.evaluation.benchmarks.fetching import FETCHABLE, fetch_esc50

    name, place = catalog.load("params:transfer_eval").benchmark, place_of(catalog[FILES])
    if others := [other for other in asked if other not in FETCHABLE]:
        yield (
            f"--params {others[0]}={AUTO}: only {' and '.join(FETCHABLE)} are fetched; name its folder, "
            f"--params {others[0]}=FOLDER"
        )
        return
    if name not in asked:
        yield f"--params {asked[0]}={AUTO}: the benchmark is {name}; add transfer_eval.benchmark={asked[0]}"
        return
    folder = local_path(place)
    if folder is None:
        yield f"--params {name}={AUTO}: it cannot be fetched to {place}, which is not on this machine; name its folder"
        return
    try:
        fetch_esc50(folder)
    except UserError as error:
        yield str(error)
