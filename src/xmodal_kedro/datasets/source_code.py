"""A hash of the code behind a function, so that results of older code are not taken for those of the new."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

HASHED_BY_VALUE = "params"
"""Typed parameters count by what they are set to: a field added for one stage must not undo another's work."""


def code_digest(function: Callable[..., Any]) -> str:
    """Hash the module of a function and all modules of the same package that it imports, directly or through others.

    Comments, docstrings and layout do not count. Other packages do not either: their versions are pinned.

    Returns:
        32 hex digits; empty for a function without source, such as a built-in.
    """
    return _closure_digest(function.__module__)


@cache
def _closure_digest(module: str) -> str:
    package = module.partition(".")[0]
    digests: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _source_of(name)
        if path is None or name in digests or name.split(".")[1:2] == [HASHED_BY_VALUE]:
            continue
        tree = ast.parse(path.read_bytes())
        digests[name] = hashlib.blake2b(ast.dump(_without_texts(tree)).encode(), digest_size=16).hexdigest()
        waiting += [used for used in _imported(tree, name, path) if used.partition(".")[0] == package]
    if not digests:
        return ""
    text = "\n".join(f"{name} {digest}" for name, digest in sorted(digests.items()))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _without_texts(tree: ast.Module) -> ast.Module:
    """The tree without strings that stand by themselves: docstrings of modules, classes, functions and fields."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [part for part in body if not _is_text(part)]  # type: ignore[attr-defined]
    return tree


def _is_text(part: ast.stmt) -> bool:
    return isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) and isinstance(part.value.value, str)


def _imported(tree: ast.Module, module: str, path: Path) -> Iterator[str]:
    """Absolute names of the modules, or of their attributes, that a module imports anywhere."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _source_of(module: str) -> Path | None:
    """The file of a module; None of an attribute of one, or where there is no source.

    Found by name: to ask for the spec of `a.b.c` would import `a.b`, and with it whatever that needs.
    """
    top, *parts = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    places = [Path(folder, *parts) for folder in spec.submodule_search_locations or ()]
    files = [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")]
    if not parts and spec.origin is not None:
        files = [Path(spec.origin)]
    return next((file for file in files if file.suffix == ".py" and file.is_file()), None)
