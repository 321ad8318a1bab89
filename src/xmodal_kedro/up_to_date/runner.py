"""The runner: a node is not run again while nothing that its outputs depend on has changed."""

from __future__ import annotations

import logging
from collections import Counter
from itertools import chain
from typing import ClassVar

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner
from kedro.runner.task import Task
from pluggy import PluginManager

from xmodal_kedro.up_to_date.notes import Notes

logger = logging.getLogger(__name__)


class UpToDateRunner(SequentialRunner):
    """Runs nodes in turn, but for those whose stored outputs are what they would give.

    Attributes:
        root: folder or URL in which notes are kept, see `hooks.data_root`; empty to run all nodes.
        left_out: how many nodes of the last run were not run, such as "3 of 53"; empty if all were.
    """

    root: ClassVar[str] = ""
    left_out: ClassVar[str] = ""

    def __str__(self) -> str:
        # Kedro-Viz records runs of runners alone whose text has these words.
        return f"<{type(self).__name__}, a kedro.runner.sequential_runner.SequentialRunner object>"

    def _run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol,
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        UpToDateRunner.left_out = ""  # of the run before in this process
        nodes = pipeline.nodes
        fresh: list[Node] = []
        notes = Notes(pipeline, catalog, self.root)
        load_counts = Counter(chain.from_iterable(node.inputs for node in nodes))
        done: set[Node] = set()

        def execute(node: Node) -> None:
            for needed in notes.left_in_memory_by(node, done):
                execute(needed)
            stamp = notes.stamp(node)
            Task(node, catalog, self._is_async, hook_manager, run_id).execute()
            done.add(node)
            notes.write(node, stamp)
            self._release_datasets(node, catalog, load_counts, pipeline)
            logger.info("Completed node: %s (%d of %d)", node.name, len(done.union(fresh)), len(nodes))

        for node in nodes:
            if node in done:
                continue
            if notes.is_fresh(node):
                fresh.append(node)
                continue
            try:
                execute(node)
            except Exception:
                self._suggest_resume_scenario(pipeline, done.union(fresh), catalog)
                raise
        unrun = [node for node in fresh if node not in done]
        if unrun:
            UpToDateRunner.left_out = f"{len(unrun)} of {len(nodes)}"
            logger.info(
                "%s nodes are up to date and were not run again (--runner=SequentialRunner runs all)", self.left_out
            )
