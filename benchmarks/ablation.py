"""Ablation of the options of `vggish_plus`: the real pipelines, one option changed at a time, several seeds each.

python benchmarks/ablation.py DATA_ROOT --esc10 FOLDER [--store FOLDER] [--seeds 0,1,2] [--epochs N] [--rows NAMES]
    [--set NAME=VALUE,...] [--out docs/ablation.md] [--table-only]

DATA_ROOT holds the sample world with its clips and labels, which this makes:

    kedro run --env sample --params data_root=DATA_ROOT \\
        --pipelines=sample,ingest,clip,visual_label,audio_label,merge_labels

Every network is trained there (`train`) and evaluated on the sample benchmark and on ESC-10 (`transfer_eval`), in two
runs of an MLflow store for this purpose only. Finished runs in the store are not repeated; killed ones are.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import mlflow
import yaml
from ablation_table import ESC10, EXPERIMENT, TRAINED, Row, finished, render, settings_of, write_table

PROJECT = Path(__file__).parents[1]
UNSTABLE = {"train.learning_rate": "0.0001"}
"""For networks without batch norm; see `TrainParams.learning_rate`."""
ROWS = (
    Row("vggish_plus", "`vggish_plus`", {}),
    Row(
        "no_batch_norm", "`batch_norm: false`, learning rate 1e-4", {"train.vggish_plus.batch_norm": "false"} | UNSTABLE
    ),
    Row("mean", "`pooling: mean`", {"train.vggish_plus.pooling": "mean"}),
    Row("mean_band", "`keep_bands: false`", {"train.vggish_plus.keep_bands": "false"}),
    Row("patch", "`context: patch`", {"train.vggish_plus.context": "patch"}),
    Row(
        "flat",
        "`pooling: flat`, `context: patch`",
        {"train.vggish_plus.pooling": "flat", "train.vggish_plus.context": "patch"},
    ),
    Row("wide", "`width: 64`", {"train.vggish_plus.width": "64"}),
    Row("no_average", "`ema_decay: 0`", {"train.ema_decay": "0"}),
    Row("mixup", "`mixup_alpha: 0.3`", {"train.mixup_alpha": "0.3"}),
    Row(
        "masks",
        "`spec_augment` of two masks each",
        {"train.spec_augment.time_masks": "2", "train.spec_augment.band_masks": "2"},
    ),
    Row("vggish", "`vggish`, learning rate 1e-4", {"train.model": "vggish"} | UNSTABLE),
    Row("mobilenet_v2", "`mobilenet_v2`", {"train.model": "mobilenet_v2"}),
)
"""The full network, then with one option changed, then others; the 4096-wide layers need a patch, so that is two."""


def copy_configuration(store: Path) -> None:
    """Copy `conf/` into the store, so that later edits do not matter; track there, and leave out the teacher's
    embedding, as networks are compared only with each other on ESC-10."""
    shutil.rmtree(store / "conf", ignore_errors=True)
    shutil.copytree(PROJECT / "conf", store / "conf")
    tracking = {"server": {"mlflow_tracking_uri": uri(store)}, "tracking": {"experiment": {"name": EXPERIMENT}}}
    for env in ("sample", "onnx"):
        (store / "conf" / env / "mlflow.yml").write_text(yaml.safe_dump(tracking))
    teacher = store / "conf" / "onnx" / "parameters" / "audio_teacher.yml"
    stated = yaml.safe_load(teacher.read_text())
    del stated["audio_teacher"]["output"]["embedding"]
    teacher.write_text(yaml.safe_dump(stated))


def uri(store: Path) -> str:
    """URI of the MLflow runs of a store."""
    return f"sqlite:///{store}/mlflow.db"


def make_run(row: Row, seed: int, epochs: int, data_root: Path, esc10: Path, store: Path) -> None:
    """Train the network of a row with a seed and evaluate it on both benchmarks, in a temporary folder."""
    made = store / "run"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    for layer in ("01_raw", "02_intermediate", "03_primary", "04_feature", "05_model_input"):
        (made / layer).symlink_to((data_root / layer).resolve())
    settings = settings_of(row, seed, epochs)
    tags = {"row": row.name, "settings": json.dumps(settings)}
    judged = {name: settings[name] for name in ("train.model", "transfer_eval.random_seed") if name in settings}
    kedro_run(
        "sample", ["train", "transfer_eval"], settings | {"data_root": str(made)}, tags | {"part": TRAINED}, store
    )
    places = {"data_root": str(made), "esc10": str(esc10.resolve())}
    kedro_run("onnx", ["transfer_eval"], judged | places, tags | {"part": ESC10}, store)
    shutil.rmtree(made)


def kedro_run(
    env: str, pipelines: Sequence[str], params: Mapping[str, str], tags: Mapping[str, str], store: Path
) -> None:
    """Run pipelines up to the accuracies, without plots and report; what they print goes to a log in the store.

    Raises:
        SystemExit: naming the log, if the run fails.
    """
    command = [
        *(sys.executable, "-m", "kedro", "run", "--env", env, "--conf-source", str(store / "conf")),
        f"--pipelines={','.join(pipelines)}",
        "--to-nodes=transfer_eval.measure",
        f"--params={','.join(f'{name}={value}' for name, value in params.items())}",
    ]
    log = store / "run.log"
    with log.open("w") as output:
        tagging = os.environ | {"MLFLOW_RUN_CONTEXT": json.dumps(dict(tags))}
        failed = subprocess.call(command, cwd=PROJECT, env=tagging, stdout=output, stderr=subprocess.STDOUT)
    if failed:
        raise SystemExit(
            f"a run of {tags['row']} failed: its end is in {log}; the others are kept, start again to go on"
        )


def make_missing(rows: Sequence[Row], seeds: Sequence[int], options: argparse.Namespace) -> None:
    """Make all missing runs, seed by seed, so that an unfinished store can be read at any time."""
    copy_configuration(options.store)
    wanted = [(row, seed) for seed in seeds for row in rows]
    for at, (row, seed) in enumerate(wanted, 1):
        if finished(settings_of(row, seed, options.epochs)) is None:
            started = time.monotonic()
            make_run(row, seed, options.epochs, options.data_root, options.esc10, options.store)
            spent = f"{time.monotonic() - started:.0f} s"
        else:
            spent = "is there"
        print(f"{at}/{len(wanted)} {row.name}, seed {seed}: {spent}", file=sys.stderr, flush=True)


def open_store(store: Path) -> None:
    """Make MLflow read and write in the folder, artifacts included."""
    store.mkdir(parents=True, exist_ok=True)
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    mlflow.set_tracking_uri(uri(store))
    if mlflow.get_experiment_by_name(EXPERIMENT) is None:
        mlflow.create_experiment(EXPERIMENT, artifact_location=(store / "artifacts").as_uri())


def choose_rows(names: str) -> list[Row]:
    """Rows by name, in the order of `ROWS`; the full network is always included.

    Raises:
        SystemExit: if there is no such row.
    """
    wanted, known = {*names.split(","), ROWS[0].name}, [row.name for row in ROWS]
    if not wanted <= {*known}:
        raise SystemExit(f"--rows: no row {', '.join(sorted(wanted - {*known}))}; there are {', '.join(known)}")
    return [row for row in ROWS if row.name in wanted]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_root", type=Path, help="of the sample world, with clips and labels")
    parser.add_argument("--esc10", type=Path, help="folder of ESC-10, in ESC-50's layout")
    parser.add_argument("--store", type=Path, default=Path("ablation"), help="folder for the runs: `ablation`")
    parser.add_argument("--seeds", default="0,1,2", help="joined by commas: `0,1,2`")
    parser.add_argument("--epochs", type=int, default=12, help="of each training: 12")
    parser.add_argument("--rows", default=",".join(row.name for row in ROWS), help="which, joined by commas: all")
    parser.add_argument("--set", default="", help="run parameters of every row, such as `train.vggish_plus.width=16`")
    parser.add_argument("--out", type=Path, default=PROJECT / "docs/ablation.md", help="page to write the tables in")
    parser.add_argument("--table-only", action="store_true", help="make no run, read those that are there")
    options = parser.parse_args(arguments)
    options.store = options.store.resolve()
    common: dict[str, str] = dict(setting.split("=") for setting in options.set.split(",") if setting)
    rows = [replace(row, settings={**common, **row.settings}) for row in choose_rows(options.rows)]
    seeds = [int(seed) for seed in options.seeds.split(",")]
    open_store(options.store)
    if not options.table_only:
        if options.esc10 is None:
            parser.error("--esc10 is needed to make runs: name the folder of ESC-10")
        make_missing(rows, seeds, options)
    write_table(options.out, render(rows, seeds, options.epochs, common))


if __name__ == "__main__":
    main(sys.argv[1:])
