"""Where all data of a run are kept."""

from __future__ import annotations

from pathlib import Path

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl

from xmodal_kedro.datasets.limits import read_limits
from xmodal_kedro.storage import limit_storage, local_path
from xmodal_kedro.up_to_date import UpToDateRunner


def data_root(context: KedroContext) -> str:
    """`data_root`: an absolute path, or a URL."""
    given = (context._runtime_params or {}).get("data_root")
    root = str(given or context.config_loader["globals"]["data_root"])
    path = local_path(root)
    return root if path is None else str(Path(context.project_path) / path)


class DataRootHooks:
    """Lets the runner keep its notes beside the data, and be as patient with their storage as with that of sources."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        UpToDateRunner.root = data_root(context)
        limit_storage(read_limits(context.config_loader["globals"].get("network") or {}))
