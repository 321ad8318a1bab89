"""`--params` in which paths stay text: Kedro reads `source=2024` as a number, and `source=on` as a truth value."""

from __future__ import annotations

from typing import Any

import click
from kedro.framework.cli.utils import _split_params

from xmodal_kedro.params.places import PLACES

QUOTES = ("'", '"')


def read_params(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """What Kedro makes of `--params`, but paths as they were typed.

    Args:
        value: the typed text, or parameters by name from the file of `--config`.
    """
    if not isinstance(value, str):
        return _split_params(context, option, value)
    paths, others = split_paths(value)
    return _split_params(context, option, ",".join(others)) | paths


def split_paths(typed: str) -> tuple[dict[str, str], list[str]]:
    """Paths by name, and the remaining items `name=value` as they are.

    A path may hold commas, as far as what follows one is no `name=value`. Quotes around a path are no part of it.
    """
    paths: dict[str, str] = {}
    others: list[str] = []
    name = ""
    for item in typed.split(","):
        key, equals, text = item.partition("=")
        if not equals and name:
            paths[name] += f",{item}"
            continue
        name = key.strip() if equals and key.strip() in PLACES else ""
        if name:
            paths[name] = text
        else:
            others.append(item)
    return {name: _unquoted(path.rstrip(", ").strip()) for name, path in paths.items()}, others


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in QUOTES else text
