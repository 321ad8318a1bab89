"""The MLflow store of a run. An unusable store stops the run before it begins; a store lost later does not."""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import psutil
import yaml
from kedro.config import MissingConfigException
from kedro.framework.context import KedroContext
from mlflow.environment_variables import (
    MLFLOW_HTTP_REQUEST_MAX_RETRIES,
    MLFLOW_HTTP_REQUEST_TIMEOUT,
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT,
)
from mlflow.exceptions import MlflowException
from pydantic import ValidationError

from xmodal_kedro.config import LOCAL
from xmodal_kedro.masking import masked, masked_value, remember
from xmodal_kedro.storage import announced

logger = logging.getLogger(__name__)

URI_VARIABLE = "MLFLOW_TRACKING_URI"
OWN_STORE = "sqlite:///mlflow.db"
SQLITE = "sqlite:///"
TIMEOUT_S = 10
"""Timeout of requests to a server that has not answered yet, seconds."""
RETRIES_AT_FIRST, RETRIES_IN_A_RUN = 1, 3
"""Retries of failed requests. Waiting times double, so three retries take some 15 seconds."""
LIMITS = [each for each in (MLFLOW_HTTP_REQUEST_MAX_RETRIES, MLFLOW_HTTP_REQUEST_TIMEOUT) if not each.is_set()]
"""Variables that the user has not set."""
MAX_REASON = 300
LOCKED_FOR_S = 20.0
"""How long a database that another process writes to is waited for, seconds: as long as MLflow itself does."""
LOCKED = "locked"


class Store:
    """Where a run is tracked.

    Args:
        context: of the run.
    """

    def __init__(self, context: KedroContext) -> None:
        self._config_file = _named_by(context.config_loader)
        self._uri = _uri(context.config_loader) or os.environ.get(URI_VARIABLE) or "mlruns"
        remember(self._uri)
        if str(self) != self._uri:  # at the end of a run, MLflow prints the address as it is
            MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.set(True)
        self._lost = False
        self._complete = True

    def __str__(self) -> str:
        return masked_value(self._uri)

    @property
    def complete(self) -> bool:
        """Whether the store has taken everything so far."""
        return self._complete

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Set up tracking in the block.

        Raises:
            click.ClickException: the store cannot be used; names the store and where it is configured. It is raised
                within seconds.
        """
        problem = _problem(self._uri)
        if problem:
            raise self._unusable(problem)
        try:
            with _short_timeouts(RETRIES_AT_FIRST):
                yield
        except ValidationError as error:
            fields = "; ".join(f"{'.'.join(map(str, each['loc']))}: {masked(each['msg'])}" for each in error.errors())
            raise click.ClickException(f"mlflow.yml is wrong, correct it there: {fields}") from error
        except (MlflowException, OSError) as error:
            raise self._unusable(_reason(error)) from error

    def _unusable(self, reason: str) -> click.ClickException:
        if self._uri.startswith(SQLITE) and LOCKED in reason:
            remedy = f"wait until that process is done with it, or end it; a server (docs/tracking.md) or {OWN_STORE} "
            remedy += "in another folder is for several runs at a time"
        elif self._uri.startswith(SQLITE):
            remedy = "restore that file, or move it away and a new one is made"
        else:
            remedy = f"start that server, or correct the address; {OWN_STORE} tracks on this machine"
        place = f"server.mlflow_tracking_uri in {self._config_file}" if self._config_file else URI_VARIABLE
        return click.ClickException(f"no runs can be tracked in {self} ({reason}), which {place} names: {remedy}")

    @contextmanager
    def may_be_lost(self) -> Iterator[None]:
        """Track results in the block. If the store fails, the record is incomplete, but the run goes on.

        The log reports it once. Until the store answers again, each request is tried once without retries.
        """
        try:
            with _short_timeouts(retries=0) if self._lost else nullcontext():
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
        """Log at the end of the run that the record is incomplete, and how to complete it."""
        if not self._complete:
            logger.error(
                "all is made, but the MLflow store %s did not take all of it: once it answers, the same command again "
                "goes on from what is made and completes the record",
                self,
            )


def _uri(loader: Any) -> str | None:
    """The URI in the configuration; None if there is none."""
    try:
        uri: str | None = (loader["mlflow"].get("server") or {}).get("mlflow_tracking_uri")
    except MissingConfigException:
        return None
    return uri


def _named_by(loader: Any) -> Path | None:
    """The configuration file that names the store; None if there is none."""
    envs = (LOCAL, loader.env or loader.default_run_env, loader.base_env)  # as `ConfigLoader` merges them
    files = (path for env in envs for path in sorted(Path(loader.conf_source, env).glob("**/mlflow*.y*ml")))
    return next((path for path in files if _stated_uri(path)), None)


def _stated_uri(path: Path) -> str | None:
    try:
        return str(yaml.safe_load(path.read_text())["server"]["mlflow_tracking_uri"])
    except (yaml.YAMLError, OSError, ValueError, KeyError, TypeError):
        return None  # Kedro reports errors of configuration files


def _problem(uri: str) -> str | None:
    """Why a database cannot be used, as MLflow would retry for minutes; None for other stores and usable databases."""
    if uri.startswith(SQLITE):
        path = Path(uri.removeprefix(SQLITE).partition("?")[0])
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(path, LOCKED_FOR_S, isolation_level=None)) as database, announced(uri):
                database.execute("PRAGMA schema_version")
                if not os.access(path, os.W_OK):
                    return "it cannot be written"
                database.execute("BEGIN IMMEDIATE")  # as every run that is tracked writes
                database.execute("ROLLBACK")
        except (sqlite3.Error, OSError) as error:
            return f"{error}: {_holders(path)} it for {LOCKED_FOR_S:g} s" if LOCKED in str(error) else str(error)
        return None
    place = urlsplit(uri)
    if place.scheme in ("http", "https") or not place.hostname or not place.port:
        return None  # MLflow connects itself, perhaps through a proxy
    try:
        socket.create_connection((place.hostname, place.port), timeout=TIMEOUT_S).close()
    except OSError as error:
        return str(error)
    return None


def _holders(path: Path) -> str:
    """Which processes hold a file open, as the beginning of a sentence, as far as this user may see them."""
    found = []
    for process in psutil.process_iter(["name"]):
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and any(Path(each.path) == path.resolve() for each in process.open_files()):
                found.append(f"{process.info['name']} (process {process.pid})")
    return f"{', '.join(found)} held" if found else "another process held"


@contextmanager
def _short_timeouts(retries: int) -> Iterator[None]:
    """Limit MLflow's retries and timeout in the block, unless the user has set them.

    After the block, MLflow has fewer retries than by default and its default timeout, as a server may need long to
    store a large file.
    """
    _limit(retries, TIMEOUT_S)
    try:
        yield
    finally:
        _limit(RETRIES_IN_A_RUN, None)


def _limit(retries: int, seconds: int | None) -> None:
    for variable in LIMITS:
        limit = retries if variable is MLFLOW_HTTP_REQUEST_MAX_RETRIES else seconds
        variable.unset() if limit is None else variable.set(limit)


def _reason(error: BaseException) -> str:
    """The reason of an error in one line; for a failed connection, the error of the operating system."""
    innermost = error
    while cause := innermost.__cause__ or innermost.__context__:
        innermost = cause
    if isinstance(innermost, OSError):
        message = innermost.strerror or str(innermost)
    else:
        message = str(error.message if isinstance(error, MlflowException) else error)
    line = masked(next(iter(message.strip().splitlines()), type(error).__name__))
    return line if len(line) <= MAX_REASON else f"{line[:MAX_REASON]}…"
