"""Quality of machine labels under each merge rule, by the known truth of some recordings.

python benchmarks/label_quality.py VIDEOS TEACHERS TRUTH [--env ENV] [--min-clips N] [--json OUT]
"""

from __future__ import annotations

import argparse
import inspect
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_type_hints

from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner
from machine import table

from xmodal_kedro import settings
from xmodal_kedro.params import Params
from xmodal_kedro.pipelines import audio_label, clip, ingest, label_check, merge_labels, visual_label

PROJECT = Path(__file__).resolve().parents[1]
LABEL = sum((module.create_pipeline() for module in (ingest, clip, visual_label, audio_label)), Pipeline([]))
MERGE = merge_labels.create_pipeline().to_outputs("labels") + label_check.create_pipeline()
WAYS = [
    ("union", "own"),
    ("union", "sounds"),
    ("agreement", "own"),
    ("agreement", "sounds"),
    ("visual_only", "own"),
    ("visual_only", "sounds"),
    ("audio_only", "own"),
]
"""Rules, and whether a visual class keeps its own name."""
RATES = ("hit", "precision", "recall", "f1")
TEACHERS = ("visual.seen", "visual.heard", "audio.heard")


def run(pipeline: Pipeline, env: str, options: dict[str, Any]) -> DataCatalog:
    """Run a pipeline on the catalog and parameters of an env, with some parameters changed."""
    usual: dict[str, Any] = dict(settings.CONFIG_LOADER_ARGS)
    loader = OmegaConfigLoader(str(PROJECT / "conf"), env=env, runtime_params=options, **usual)
    catalog = DataCatalog.from_config(loader["catalog"], loader.get("credentials"))
    for name, value in dict(parameters(pipeline, loader["parameters"])).items():
        catalog[name] = MemoryDataset(value, copy_mode="assign")
    SequentialRunner().run(pipeline, catalog)
    return catalog


def parameters(pipeline: Pipeline, stated: dict[str, Any]) -> Iterator[tuple[str, Params]]:
    """The typed parameters of a pipeline's nodes."""
    for node in pipeline.nodes:
        hints = get_type_hints(node.func)
        for argument, name in inspect.signature(node.func).bind(*node.inputs).arguments.items():
            if str(name).startswith("params:"):
                yield name, hints[argument].model_validate(stated[name.removeprefix("params:")])


def measure(options: dict[str, Any], env: str, min_clips: int) -> dict[str, dict[str, float]]:
    """The metrics of `label_check` for each way of merging stored labels."""
    found = {}
    for rule, names in WAYS:
        merging = {"rule": rule, "visual_names": names, "min_clips": min_clips}
        catalog = run(MERGE, env, {**options, "merge_labels": merging})
        metrics: dict[str, float] = catalog["label_check_metrics"].load()
        quality = catalog["label_quality"].load()
        target = quality[(quality["labels"] == "target") & (quality["average"] == "micro")]
        found[f"{rule}, {names}"] = metrics | {"targets": float(target["labelled"].iloc[0])}
    return found


def describe(metrics: dict[str, dict[str, float]]) -> str:
    """Tables of teachers and rules, percent."""
    first = next(iter(metrics.values()))
    teachers = [
        [
            f"{name}, {'same branch' if match else 'same class'}",
            *(percent(first, f"label_check.{name}{match}.{rate}") for rate in columns),
        ]
        for columns in [("top1", "top5", *RATES, "map", "calibration_error")]
        for name in TEACHERS
        for match in ("", ".branch")
        if f"label_check.{name}{match}.top1" in first
    ]
    rules = [
        [
            way,
            f"{found['targets']:.0f}",
            *(percent(found, f"label_check.target.heard{match}.{rate}") for match in ("", ".branch") for rate in RATES),
        ]
        for way, found in metrics.items()
    ]
    clips = next((value for name, value in sorted(first.items()) if name.endswith("heard.clips")), 0)
    return "\n\n".join(
        [
            f"{clips:.0f} clips of which something is known to be heard; percent",
            table(["teacher", "top 1", "top 5", *RATES, "mAP", "calibration error"], teachers),
            table(["rule, names", "targets", *RATES, *(f"branch {rate}" for rate in RATES)], rules),
        ]
    )


def percent(metrics: dict[str, float], name: str) -> str:
    """A share in percent; a dash if unknown."""
    return f"{100 * metrics[name]:.1f}" if name in metrics else "-"


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, label, merge by each rule, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", help="folder, glob or manifest of recordings")
    parser.add_argument("teachers", type=Path, help="folder of the teachers' files, as the env's catalog wants it")
    parser.add_argument("truth", type=Path, help="truth of recordings: .csv with uri and heard or seen")
    parser.add_argument("--env", default="onnx", help="configuration that names the teachers (%(default)s)")
    parser.add_argument("--min-clips", type=int, default=1, help="clips that a class needs (%(default)s)")
    parser.add_argument("--json", type=Path, help="store the metrics here")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        places = {"source": options.videos, "teachers": str(options.teachers), "truth": str(options.truth)}
        places["data_root"] = folder
        run(LABEL, options.env, places)
        metrics = measure(places, options.env, options.min_clips)
    print(describe(metrics))
    if options.json:
        options.json.write_text(json.dumps(metrics, indent=2))


if __name__ == "__main__":
    main()
