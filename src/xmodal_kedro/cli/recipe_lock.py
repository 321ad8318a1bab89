"""`recipes.lock`: a digest of the code behind every recipe, by which a test detects unversioned changes."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from xmodal_kedro.params import choices
from xmodal_kedro.recipes import RECIPES, recipe_of

PACKAGE = "xmodal_kedro"
LOCK_NAME = "recipes.lock"
OPENING = "# The code behind each recipe, as digests. Written by `make recipes`; see CONTRIBUTING.md.\n"
NOT_OF_A_RECIPE = frozenset(
    {
        "cli",
        "datasets",
        "errors",
        "hooks",
        "masking",
        "metric_callbacks",
        "reasons",
        "recipes",
        "reports",
        "schemas",
        "storage",
    }
    | {"wording"}
)
"""Parts of the package that store or show results but do not compute them."""


@dataclass(frozen=True)
class LockedRecipe:
    """A recipe in the lock: its version, and one digest of all code behind it."""

    version: int
    code: str


@dataclass(frozen=True)
class Lock:
    """Recipes by name, and digests of the modules behind them by module name."""

    recipes: Mapping[str, LockedRecipe]
    modules: Mapping[str, str]


def current_lock() -> Lock:
    """The lock for the current code."""
    for module in _modules_with_recipes():
        importlib.import_module(module)
    recipes, modules = {}, {}
    for name, function in sorted(RECIPES.items()):
        if function.__module__.partition(".")[0] == PACKAGE:
            digests = module_digests(function.__module__)
            modules.update(digests)
            recipes[name] = LockedRecipe(recipe_of(function).version, _digest(repr(sorted(digests.items()))))
    return Lock(recipes, modules)


def read_lock(path: Path) -> Lock:
    """The lock that is stored; empty where there is none.

    Raises:
        ValueError: if the file is not one that `write_lock` wrote.
    """
    if not path.is_file():
        return Lock({}, {})
    try:
        stored = yaml.safe_load(path.read_text())
        recipes = {str(name): LockedRecipe(**fields) for name, fields in stored["recipes"].items()}
        modules = {str(name): str(digest) for name, digest in stored["modules"].items()}
    except (AttributeError, KeyError, TypeError, ValueError, yaml.YAMLError):
        recipes, modules = {}, {}
    if not recipes or not all(type(of.version) is int and isinstance(of.code, str) for of in recipes.values()):
        raise ValueError(f"{path} is not a lock of recipes: bring back the last one with `git checkout {path.name}`")
    return Lock(recipes, modules)


def write_lock(path: Path, lock: Lock) -> None:
    """Store a lock."""
    recipes = {name: vars(recipe) for name, recipe in lock.recipes.items()}
    path.write_text(OPENING + yaml.safe_dump({"recipes": recipes, "modules": dict(lock.modules)}))


def moved_recipes(stored: Lock, current: Lock) -> dict[str, list[str]]:
    """Recipes whose code differs from the lock although their version does not.

    Returns:
        By the recipe's name, its modules that are new or changed since the lock; empty if modules were only removed.
    """
    return {
        name: sorted(
            module
            for module, digest in module_digests(RECIPES[name].__module__).items()
            if stored.modules.get(module) != digest
        )
        for name, recipe in sorted(current.recipes.items())
        if name in stored.recipes
        and stored.recipes[name].version == recipe.version
        and stored.recipes[name].code != recipe.code
    }


def module_digests(module: str) -> dict[str, str]:
    """Digests of a module and of all modules of its package that it imports, directly or indirectly.

    Comments, docstrings, layout, and texts of errors and log lines do not count. Other packages do not count either: a
    recipe names the libraries whose versions matter. The code is parsed, not imported.
    """
    package = module.partition(".")[0]
    digests: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        parts = name.split(".")
        if name in digests or parts[0] != package or not parts[1:] or parts[1] in NOT_OF_A_RECIPE:
            continue
        path = _source_of(name)
        if path is not None:
            digests[name], used = _digest_and_imports(name, path, path.stat().st_mtime_ns)
            waiting += used
    return digests


@cache
def _digest_and_imports(module: str, path: Path, modified_ns: int) -> tuple[str, tuple[str, ...]]:
    tree = ast.parse(path.read_bytes())
    imported = tuple(_imported(tree, module, path))
    return _digest(_dump(_WithoutTexts().visit(tree))), imported


def _dump(node: Any) -> str:
    """A syntax tree as text. Empty fields are left out, as they differ between Python versions."""
    if isinstance(node, list):
        return f"[{','.join(map(_dump, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = ((name, value) for name, value in ast.iter_fields(node) if value not in (None, []))
    return f"{type(node).__name__}({','.join(f'{name}={_dump(value)}' for name, value in fields)})"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class _WithoutTexts(ast.NodeTransformer):
    """Removes docstrings, and the strings of raised errors and log lines."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return _Silenced().visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        is_log = isinstance(owner, ast.Name) and owner.id == "logger"
        return _Silenced().visit(node) if is_log else self.generic_visit(node)


class _Silenced(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant("") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return ast.Constant("")


def _imported(tree: ast.Module, module: str, path: Path) -> Iterator[str]:
    """Absolute names of all modules, or attributes of modules, that a module imports."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
            if base == choices.__name__ and not module.startswith(choices.__package__):
                yield from _chosen_from(alias.name for alias in node.names)


def _chosen_from(names: Iterable[str]) -> Iterator[str]:
    """Modules that stand behind choices, which are imported by their names in a table."""
    for name in names:
        table = getattr(choices, name)
        if isinstance(table, dict):
            yield from (place.partition(":")[0] for place in table.values())


def _source_of(module: str) -> Path | None:
    """The file of a module; None for an attribute of one, or without source."""
    top, *parts = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None:
        return None
    places = [Path(folder, *parts) for folder in spec.submodule_search_locations or ()]
    files = [file for place in places for file in (place / "__init__.py", place.with_suffix(".py"))]
    return next((file for file in files if file.is_file()), None)


def _modules_with_recipes() -> Iterator[str]:
    root = Path(__file__).parents[1]
    for path in sorted(root.rglob("*.py")):
        if path.name != "recipes.py" and "\n@recipe(" in path.read_text():
            yield ".".join((PACKAGE, *path.relative_to(root).with_suffix("").parts))
