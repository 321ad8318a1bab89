"""The MLflow store of a run: one that cannot be used ends the run before it begins, one that is lost later does not."""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import yaml
from kedro.config import MissingConfigException
from kedro.framework.context import KedroContext
from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_MAX_RETRIES, MLFLOW_HTTP_REQUEST_TIMEOUT
from mlflow.exceptions import MlflowException
from pydantic import ValidationError

from xmodal_kedro.config import LOCAL
from xmodal_kedro.hooks.command import PASSWORD

logger = logging.getLogger(__name__)

URI_VARIABLE = "MLFLOW_TRACKING_URI"
OWN_STORE = "sqlite:///mlflow.db"
SQLITE = "sqlite:///"
PATIENCE_S = 10
"""How long to wait for an answer of a server that has not been found to answer."""
RETRIES_AT_FIRST, RETRIES_IN_A_RUN = 1, 3
"""Of requests that found no server; the waits double, so that three take some fifteen seconds."""
LIMITS = [each for each in (MLFLOW_HTTP_REQUEST_MAX_RETRIES, MLFLOW_HTTP_REQUEST_TIMEOUT) if not each.is_set()]
"""What the user has not set."""
MAX_REASON = 300


class Store:
    """Where a run is tracked.

    Args:
        context: of the run.
    """

    def __init__(self, context: KedroContext) -> None:
        self._told = _named_by(context.config_loader)
        self._uri = _uri(context.config_loader) or os.environ.get(URI_VARIABLE) or "mlruns"
        self._lost = False
        self._complete = True

    def __str__(self) -> str:
        return PASSWORD.sub(r"\1:***@", self._uri)

    @property
    def complete(self) -> bool:
        """Whether the store has taken everything so far."""
        return self._complete

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Set up tracking in the block.

        Raises:
            ClickException: if the store cannot be used, within seconds, naming it and who names it.
        """
        trouble = _trouble(self._uri)
        if trouble:
            raise self._unusable(trouble)
        try:
            with _haste(RETRIES_AT_FIRST):
                yield
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            raise click.ClickException(f"mlflow.yml is wrong, correct it there: {told}") from error
        except (MlflowException, OSError) as error:
            raise self._unusable(_reason(error)) from error

    def _unusable(self, reason: str) -> click.ClickException:
        if self._uri.startswith(SQLITE):
            remedy = "restore that file, or move it away and a new one is made"
        else:
            remedy = f"start that server, or correct the address; {OWN_STORE} tracks on this machine"
        place = f"server.mlflow_tracking_uri in {self._told}" if self._told else URI_VARIABLE
        return click.ClickException(f"no runs can be tracked in {self} ({reason}), which {place} names: {remedy}")

    @contextmanager
    def may_be_lost(self) -> Iterator[None]:
        """Track in the block what has been made. A store that does not take it costs the record, not the run.

        The log says so once. Until the store answers again it is asked once for each thing, without waiting.
        """
        try:
            with _haste(retries=0) if self._lost else nullcontext():
                yield
        except (MlflowException, OSError) as error:
            if self._complete:
                logger.error(
                    "the MLflow store %s is lost (%s): the run goes on, and what it makes is kept",
                    self,
                    _reason(error),
                )
            self._lost, self._complete = True, False
        else:
            self._lost = False

    def tell_gaps(self) -> None:
        """Say in the end what a lost store means."""
        if not self._complete:
            logger.error(
                "all is made, but the MLflow store %s did not take all of it: once it answers, the same command again "
                "goes on from what is made and completes the record",
                self,
            )


def _uri(loader: Any) -> str | None:
    """What the configuration states; None where it states nothing."""
    loader.config_patterns.setdefault("mlflow", ["mlflow*", "mlflow*/**", "**/mlflow*"])
    try:
        uri: str | None = (loader["mlflow"].get("server") or {}).get("mlflow_tracking_uri")
    except MissingConfigException:
        return None
    return uri


def _named_by(loader: Any) -> Path | None:
    """The configuration file that names the store; None where none does."""
    envs = (LOCAL, loader.env or loader.default_run_env, loader.base_env)  # as `ConfigLoader` merges them
    files = (path for env in envs for path in sorted(Path(loader.conf_source, env).glob("**/mlflow*.y*ml")))
    return next((path for path in files if _stated_uri(path)), None)


def _stated_uri(path: Path) -> str | None:
    try:
        return str(yaml.safe_load(path.read_text())["server"]["mlflow_tracking_uri"])
    except (yaml.YAMLError, OSError, ValueError, KeyError, TypeError):
        return None  # Kedro says what is wrong with a file


def _trouble(uri: str) -> str | None:
    """Why a database cannot be used, where MLflow would try for minutes; None for other stores, and if all is well."""
    if uri.startswith(SQLITE):
        path = Path(uri.removeprefix(SQLITE).partition("?")[0])
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(path, isolation_level=None)) as database:
                database.execute("PRAGMA schema_version")
                if not os.access(path, os.W_OK):
                    return "it cannot be written"
        except (sqlite3.Error, OSError) as error:
            return str(error)
        return None
    place = urlsplit(uri)
    if place.scheme in ("http", "https") or not place.hostname or not place.port:
        return None  # what answers there, or a proxy, is asked by MLflow itself
    try:
        socket.create_connection((place.hostname, place.port), timeout=PATIENCE_S).close()
    except OSError as error:
        return str(error)
    return None


@contextmanager
def _haste(retries: int) -> Iterator[None]:
    """Have MLflow ask so often in the block, and wait seconds for an answer, as far as the user has not set it.

    Outside it asks less often than by itself, and waits as long, since a server may take long to store a large file.
    """
    _limit(retries, PATIENCE_S)
    try:
        yield
    finally:
        _limit(RETRIES_IN_A_RUN, None)


def _limit(retries: int, seconds: int | None) -> None:
    for variable in LIMITS:
        limit = retries if variable is MLFLOW_HTTP_REQUEST_MAX_RETRIES else seconds
        variable.unset() if limit is None else variable.set(limit)


def _reason(error: BaseException) -> str:
    """What went wrong, in one line: the connection's own error, where that was it."""
    innermost = error
    while cause := innermost.__cause__ or innermost.__context__:
        innermost = cause
    if isinstance(innermost, OSError):
        told = innermost.strerror or str(innermost)
    else:
        told = str(error.message if isinstance(error, MlflowException) else error)
    line = next(iter(told.strip().splitlines()), type(error).__name__)
    return line if len(line) <= MAX_REASON else f"{line[:MAX_REASON]}…"
