"""The project's configuration: Kedro's loader, with machine-specific files and parameters of several kinds."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from kedro.config import OmegaConfigLoader
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from xmodal_kedro.errors import UserError

LOCAL = "local"
OF_THIS_MACHINE = frozenset({"credentials", "mlflow"})
"""Kinds of configuration that `conf/local` adds to every env."""
DATA_ROOT = "data_root"
PLACES = ("path", "filepath")
"""Fields of a catalog entry with the path of its data."""
CLASSES_FILE = "classes*"
"""Where a user lists classes and prompts."""
UNREADABLE = (yaml.YAMLError, OmegaConfBaseException, UnicodeDecodeError)
"""Errors of a file that is no YAML, or not in UTF-8; most do not name it."""
READ_OFTEN = ("catalog", "parameters")
"""Kinds of configuration that a run asks for several times, and whose interpolations take a second each time."""
DISCRIMINATOR = "kind"
"""Field that decides which other fields a mapping has, such as `input.kind` of a teacher's card."""


class ConfigLoader(OmegaConfigLoader):
    """Base, then the env, then `--params`. It differs from Kedro's own loader in seven ways.

    Credentials and `mlflow.yml` of `conf/local` apply in every env, as they belong to the machine. If an env sets
    another `kind` of a mapping, its mapping replaces that of the base, as the fields of the two differ. In paths of
    datasets, `~` is the user's home. Parameters may also lie in `classes.yml`, beside the folders of an env. A file
    that cannot be read is named. Catalog and parameters are read once. A `data_root` that is a URL loses slashes at its
    end, as `s3://bucket/out//clips` is another place than `s3://bucket/out/clips`.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._once: dict[str, tuple[Any, dict[str, Any]]] = {}
        super().__init__(*args, **options)
        if self.runtime_params:
            self.runtime_params = _with_plain_root(self.runtime_params)
        self.config_patterns["parameters"] = [*self.config_patterns["parameters"], CLASSES_FILE]
        self.config_patterns.setdefault("mlflow", ["mlflow*", "mlflow*/**", "**/mlflow*"])  # as of kedro-mlflow

    def __getitem__(self, key: str) -> dict[str, Any]:
        if key in self or key not in READ_OFTEN:
            return self._read(key)
        asked_for = (self.env, self.runtime_params)
        if key not in self._once or self._once[key][0] != asked_for:
            self._once[key] = copy.deepcopy(asked_for), self._read(key)
        return copy.deepcopy(self._once[key][1])  # Kedro changes what it gets

    def _read(self, key: str) -> dict[str, Any]:
        is_set = key in self
        config = super().__getitem__(key)
        if key == "globals":
            config = self._globals = _with_plain_root(config)
        if key == "catalog":
            return {name: _with_home(entry) if isinstance(entry, dict) else entry for name, entry in config.items()}
        if is_set or key not in OF_THIS_MACHINE or (self.env or self.default_run_env) == LOCAL:
            return config
        folder = self._get_conf_env_path(LOCAL)
        if not self._fs.isdir(folder):
            return config
        own = self.load_and_merge_dir_config(folder, self.config_patterns[key], key, set(), key == "credentials")
        merged: dict[str, Any] = self._merge_configs(config, own, key, folder)
        return merged

    def _read_dir_configs(self, conf_path: str, patterns: Iterable[str], *args: Any, **options: Any) -> Any:
        """As Kedro's.

        Raises:
            UserError: for a file that is no YAML, or not in UTF-8, in one line.
        """
        patterns = list(patterns)
        try:
            return super()._read_dir_configs(conf_path, patterns, *args, **options)
        except UNREADABLE as error:
            place, reason = self._unreadable_file(conf_path, patterns) or (conf_path, error)
            said = " ".join(str(reason).replace('in "<file>", ', "in ").split())
            raise UserError(f"{place} cannot be read ({said}): correct it, and save it as UTF-8") from error

    def _unreadable_file(self, folder: str, patterns: Iterable[str]) -> tuple[str, Exception] | None:
        for file in (
            str(file) for pattern in patterns for file in self._fs.glob(f"{Path(folder).as_posix()}/{pattern}")
        ):
            if Path(file).suffix in (".yml", ".yaml", ".json"):
                try:
                    OmegaConf.load(io.StringIO(self._fs.cat_file(file).decode()))
                except UNREADABLE as error:
                    return file, error
        return None

    def _merge_configs(self, config: dict[str, Any], env_config: dict[str, Any], key: str, env_path: str) -> Any:
        if key == "parameters":
            return _merged(config, env_config)
        return super()._merge_configs(config, env_config, key, env_path)


def _with_plain_root(values: dict[str, Any]) -> dict[str, Any]:
    root = values.get(DATA_ROOT)
    return values | {DATA_ROOT: root.rstrip("/")} if isinstance(root, str) and "://" in root else values


def _with_home(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        field: str(Path(value).expanduser()) if field in PLACES and str(value).startswith("~") else value
        for field, value in entry.items()
    }


def _merged(base: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    kind = other.get(DISCRIMINATOR)
    if kind is not None and kind != base.get(DISCRIMINATOR, kind):
        return other
    both = {
        name: _merged(base[name], value) if isinstance(value, dict) and isinstance(base.get(name), dict) else value
        for name, value in other.items()
    }
    return base | both
