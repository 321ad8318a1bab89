"""The rules that keep the tree readable: who may import whom, what is in the catalog, which parameters are read."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_type_hints

import pytest
from kedro.config import OmegaConfigLoader
from kedro.pipeline import Pipeline

from tests.project import PROJECT
from xmodal_kedro import params, schemas, settings
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ, INT16_FULL_SCALE
from xmodal_kedro.pipeline_registry import BESIDE, register_pipelines

PACKAGE = PROJECT / "src" / "xmodal_kedro"
FOUNDATION = {"errors", "schemas", "params", "storage", "metric_callbacks", "pcm", "reasons", "recipes", "sharding"} | {
    "masking",
    "progress",
    "wording",
}
MAY_IMPORT = {
    "pipelines": {"media", "dedup", "teachers", "labels", "training", "evaluation", "inference", "sample", "reports"}
    | {"features", "data", "models", "exports", "review", "adapt"}
    | FOUNDATION,
    "adapt": {"media", "teachers", "evaluation", "inference", "models"} | FOUNDATION,
    "review": {"evaluation", "inference", "labels", "teachers"} | FOUNDATION,
    "exports": {"media", "reports"} | FOUNDATION,
    "reports": {"adapt", "review", "evaluation", "labels", "media", "features"} | FOUNDATION,
    "evaluation": {"media", "dedup", "teachers", "labels", "training", "inference", "features", "data", "models"}
    | FOUNDATION,
    "sample": {"media", "teachers", "features"} | FOUNDATION,
    "inference": {"media", "features", "models", "teachers"} | FOUNDATION,
    "training": {"features", "data", "models"} | FOUNDATION,
    "labels": {"teachers"} | FOUNDATION,
    "teachers": {"features", "models"} | FOUNDATION,
    "media": FOUNDATION,
    "dedup": FOUNDATION,
    "data": {"features"} | FOUNDATION,
    "models": {"features"} | FOUNDATION,
    "features": FOUNDATION,
    "datasets": {"errors", "masking", "progress", "recipes", "storage", "wording"},
    "cli": {"datasets", "errors", "inference", "masking", "params", "reasons", "recipes"},
    "__main__": {"cli"},
    "up_to_date": {"datasets", "storage"},
    "hear": {"errors", "features", "inference", "models"},
    "listener": {"inference"},
    "schemas": {"pcm", "reasons"},
    "errors": set(),
    "params": set(),
    "masking": set(),
    "storage": {"errors", "masking"},
    "metric_callbacks": set(),
    "pcm": set(),
    "progress": set(),
    "reasons": {"masking"},
    "recipes": set(),
    "sharding": set(),
    "wording": set(),
}
KNOWS_MLFLOW = {"hooks", "inference/opening.py", "inference/mlflow_model.py"}
"""Packages and files; a model's address is resolved by `opening`, and `mlflow_model` is what MLflow runs."""
KNOWS_KEDRO = {
    "pipelines",
    "datasets",
    "cli",
    "__main__",
    "config",
    "context",
    "hooks",
    "settings",
    "pipeline_registry",
    "up_to_date",
}
PIPELINES = register_pipelines()
MAIN_LINE = ["ingest", "clip", "visual_label", "audio_label", "merge_labels", "train", "transfer_eval"]


def sources() -> Iterator[tuple[Path, str]]:
    """Every source file of the package, with the name of its part: the first folder or the file itself."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path, path.relative_to(PACKAGE).with_suffix("").parts[0]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imports(path: Path) -> frozenset[str]:
    """Absolute names of all that a file imports, at its top or inside functions."""
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(PACKAGE.parent).with_suffix("").parts
            base = ".".join(package[: len(package) - node.level]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def parts_used(path: Path) -> set[str]:
    """The parts of this package that a file imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("xmodal_kedro.")}


def load_config(env: str) -> OmegaConfigLoader:
    return OmegaConfigLoader(str(PROJECT / "conf"), env=env, **settings.CONFIG_LOADER_ARGS)


@pytest.mark.parametrize("part", sorted(MAY_IMPORT))
def test_a_part_imports_only_the_parts_below_it(part: str) -> None:
    wrong = []
    for path, own in sources():
        if own == part:
            wrong += [
                f"{path.relative_to(PACKAGE)} imports {other}" for other in parts_used(path) - MAY_IMPORT[part] - {part}
            ]
    assert not wrong


def test_every_part_has_its_rule() -> None:
    assert {part for _, part in sources()} <= MAY_IMPORT.keys() | {
        "config",
        "context",
        "hooks",
        "settings",
        "pipeline_registry",
        "__init__",
    }


def test_kedro_stays_in_pipelines_datasets_hooks_settings_and_registry() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path, part in sources()
        for name in imports(path)
        if name.split(".")[0] in {"kedro", "kedro_datasets", "kedro_mlflow"} and part not in KNOWS_KEDRO
    ]
    assert not wrong


def test_only_hooks_and_models_in_mlflow_import_mlflow() -> None:
    importers = {
        path.relative_to(PACKAGE).as_posix() if part != "hooks" else part
        for path, part in sources()
        if any(name.split(".")[0] in {"mlflow", "kedro_mlflow"} for name in imports(path))
    }
    assert importers == KNOWS_MLFLOW


def test_hooks_are_imported_by_the_settings_alone() -> None:
    assert {part for path, part in sources() if "hooks" in parts_used(path)} == {"hooks", "settings"}


def test_the_format_of_stored_sound_has_one_home() -> None:
    elsewhere = {(PACKAGE / "sample" / "video.py", 16_000)}  # a codec's rate before decoding
    wrong = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}: {node.value}"
        for path, part in sources()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant) and node.value in (CLIP_SAMPLE_RATE_HZ, INT16_FULL_SCALE)
        if part != "pcm" and (path, node.value) not in elsewhere
    ]
    assert not wrong


def test_every_logger_has_one_name() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path, _ in sources()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Assign) and ast.unparse(node.value) == "logging.getLogger(__name__)"
        if [ast.unparse(target) for target in node.targets] != ["logger"]
    ]
    assert not wrong


def test_no_modules_import_each_other_in_a_circle() -> None:
    modules = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path, _ in sources()}
    modules = {name.removesuffix(".__init__"): path for name, path in modules.items()}
    used: dict[str, set[str]] = {name: set() for name in modules}
    for name, path in modules.items():
        for imported in imports(path):
            while imported and imported not in modules:
                imported = imported.rpartition(".")[0]
            used[name] |= {imported} - {"", name, "xmodal_kedro"}  # of which only the version is wanted
    free = {name for name in used if not used[name]}
    while grown := {name for name in used if name not in free and used[name] <= free}:
        free |= grown
    assert sorted(used.keys() - free) == []


def test_no_pipeline_imports_another() -> None:
    wrong = []
    for path in sorted((PACKAGE / "pipelines").glob("*/*.py")):
        others = {name for name in imports(path) if name.startswith("xmodal_kedro.pipelines.")}
        wrong += [f"{path} imports {name}" for name in others if name.split(".")[2] != path.parent.name]
    assert not wrong


def test_nodes_do_no_input_or_output() -> None:
    calls = {"open", "read_text", "write_text", "read_bytes", "write_bytes", "to_parquet", "read_parquet", "to_csv"}
    wrong = []
    for path in sorted((PACKAGE / "pipelines").glob("*/nodes.py")):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                wrong += [f"{path.parent.name}/nodes.py:{node.lineno} calls {name}"] if name in calls else []
    assert not wrong


def test_no_thread_of_arrow_holds_a_stream_after_a_table_is_read() -> None:
    """`read_table` of PyArrow and `read_parquet` of pandas leave the stream to threads, and abort at exit at times."""
    wrong = []
    for path, part in sources():
        for node in ast.walk(tree_of(path)) if part != "cli" else ():  # which reads by paths
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                library = getattr(node.func.value, "id", "")
                found = (library, node.func.attr) in {("pq", "read_table"), ("pd", "read_parquet")}
                wrong += [f"{path}:{node.lineno} calls {library}.{node.func.attr}"] if found else []
    assert not wrong


def test_the_seven_pipelines_make_the_main_line() -> None:
    whole: Pipeline = sum((PIPELINES[name] for name in MAIN_LINE), Pipeline([]))
    assert {node.name for node in PIPELINES["__default__"].nodes} == {node.name for node in whole.nodes}
    inputs = {name for name in PIPELINES["__default__"].inputs() if not name.startswith("params:")}
    assert inputs == {
        "source_videos",
        "visual_teacher_files",
        "audio_teacher_files",
        "live_teacher_files",
        "benchmark_files",
        "training_checkpoints",
        "run_provenance",
        "earlier_thresholds",
    }


def test_kedro_can_read_the_types_of_every_node() -> None:
    for pipeline in PIPELINES.values():
        for node in pipeline.nodes:
            hints = get_type_hints(node.func)
            bound = inspect.signature(node.func).bind(*node.inputs).arguments
            for argument, name in bound.items():
                if str(name).startswith("params:"):
                    assert issubclass(hints[argument], params.Params), f"{node.name}: {argument}"


@pytest.mark.parametrize("env", ["base", "sample", "onnx", "paper", "hub"])
def test_every_input_and_output_is_in_the_catalog_with_its_layer(env: str) -> None:
    catalog = {name: entry for name, entry in load_config(env)["catalog"].items() if not name.startswith("_")}
    wanted = sum(
        (PIPELINES[name] for name in ("__default__", *BESIDE) if name != "sample"),
        Pipeline([]),
    )
    wanted = wanted + PIPELINES["sample"] if env == "sample" else wanted
    named = {name for name in wanted.datasets() if not name.startswith("params:")}
    assert named == catalog.keys()
    assert all("layer" in entry["metadata"]["kedro-viz"] for entry in catalog.values())


def test_a_folder_of_shards_or_files_holds_nothing_else() -> None:
    catalog = load_config("sample")["catalog"]
    places = {
        name: str(entry.get("path") or entry.get("filepath") or "")
        for name, entry in catalog.items()
        if not name.startswith("_")
    }
    folders = {
        name: places[name].removesuffix("/embeddings") if name == "recording_embeddings" else places[name]
        for name in places
        if catalog[name]["type"].endswith(("ShardedParquetDataset", "ExportedFilesDataset"))
    }
    inside = [
        f"{other} is in the folder of {name}"
        for name, folder in folders.items()
        for other, place in places.items()
        if other != name and place.startswith(f"{folder}/")
    ]
    assert not inside


def test_every_table_has_its_validator() -> None:
    for name, entry in load_config("sample")["catalog"].items():
        if not name.startswith("_") and entry["type"].endswith(("TableDataset", "ShardedParquetDataset")):
            assert "validator" in entry, name


@pytest.mark.parametrize("env", ["base", "sample", "onnx", "paper", "hub"])
def test_every_parameter_is_an_input_of_some_node(env: str) -> None:
    read = {name.removeprefix("params:") for pipeline in PIPELINES.values() for name in pipeline.inputs()}
    assert set(load_config(env)["parameters"]) <= read


def test_every_field_of_a_parameter_is_read_in_the_code() -> None:
    attributes = {
        node.attr for path, _ in sources() for node in ast.walk(tree_of(path)) if isinstance(node, ast.Attribute)
    }
    unread = [
        f"{model.__name__}.{field}"
        for model in vars(params).values()
        if isinstance(model, type) and issubclass(model, params.Params)
        for field in model.model_fields
        if field not in attributes and field != "kind"
    ]
    assert not unread


def test_every_parameter_file_sets_only_known_fields_and_leaves_none_to_chance() -> None:
    parameters = load_config("base")["parameters"]
    types = {
        "ingest": params.IngestParams,
        "clip": params.ClipParams,
        "near_duplicates": params.NearDuplicateParams,
        "visual_label": params.LabelParams,
        "audio_label": params.AudioLabelParams,
        "merge_labels": params.MergeParams,
        "train": params.TrainParams,
        "transfer_eval": params.TransferParams,
        "embed": params.EmbedParams,
        "export_events": params.ExportEventsParams,
        "export_labels": params.ExportLabelsParams,
        "export_map": params.ExportMapParams,
        "export_dataset": params.ExportDatasetParams,
        "adapt": params.AdaptParams,
        "review": params.ReviewParams,
    }
    for name, model in types.items():
        assert set(parameters[name]) == set(model.model_fields), name


def test_stored_columns_and_checked_columns_come_from_one_definition() -> None:
    written_out = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path, part in sources()
        if part == "schemas"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pa.schema" and path.name != "base.py"
    ]
    assert not written_out
    stored = {name: value for name, value in vars(schemas).items() if name.endswith("_ARROW")}
    models = [model for model in vars(schemas).values() if isinstance(model, type) and issubclass(model, schemas.Table)]
    columns = [list(model.to_schema().columns) for model in models]
    assert stored and all(value.names in columns for value in stored.values())
