"""Tracking that loads MLflow when a run begins instead of with every command, and never where it is turned off."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from kedro.config import AbstractConfigLoader, MissingConfigException
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol, DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

if TYPE_CHECKING:
    from xmodal_kedro.hooks.tracking import Tracking


ALL = "*"
"""In place of a pipeline's name."""


class TrackingHooks:
    """Forwards every call to `tracking.Tracking`, which is imported late because MLflow takes seconds to load.

    If `tracking.disable_tracking.pipelines` in `mlflow.yml` has `"*"`, no call is forwarded.
    """

    _is_off = False

    @cached_property
    def _tracking(self) -> Tracking:
        from xmodal_kedro.hooks.tracking import Tracking

        return Tracking()

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        self._is_off = _turned_off(context.config_loader)
        if not self._is_off:
            self._tracking.after_context_created(context)

    @hook_impl
    def after_catalog_created(
        self,
        catalog: CatalogProtocol,
        conf_catalog: dict[str, Any],
        conf_creds: dict[str, Any],
        parameters: dict[str, Any],
        save_version: str,
        load_versions: dict[str, str],
    ) -> None:
        if not self._is_off:
            self._tracking.after_catalog_created(
                catalog, conf_catalog, conf_creds, parameters, save_version, load_versions
            )

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        if not self._is_off:
            self._tracking.before_pipeline_run(run_params, pipeline, catalog)

    @hook_impl
    def before_node_run(self, node: Node, catalog: DataCatalog, inputs: dict[str, Any], is_async: bool) -> None:
        if not self._is_off:
            self._tracking.before_node_run(node, catalog, inputs, is_async)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        if not self._is_off:
            self._tracking.after_dataset_saved(dataset_name, data)

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        if not self._is_off:
            self._tracking.after_pipeline_run(run_params, pipeline, catalog)

    @hook_impl
    def on_pipeline_error(
        self, error: Exception, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        if not self._is_off:
            self._tracking.on_pipeline_error(error, run_params, pipeline, catalog)


def _turned_off(config: AbstractConfigLoader) -> bool:
    """Whether no pipeline is tracked. Of a wrong configuration, `tracking` says what is wrong."""
    try:
        settings: Any = config["mlflow"]
    except MissingConfigException:
        return False
    for key in ("tracking", "disable_tracking", "pipelines"):
        settings = settings.get(key) if isinstance(settings, dict) else None
    return isinstance(settings, list) and ALL in settings
