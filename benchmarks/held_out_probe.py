"""A linear probe for choosing a training recipe without a benchmark: it predicts the audio teacher's first label of
held-out clips from the network's frozen embeddings.

python benchmarks/held_out_probe.py DATA_ROOT [--models NAMES] [--env ENV] [--folds N] [--min-recordings N] [--seed N]
    [--json OUT]

DATA_ROOT holds clips, labels of both kinds and trained networks, as the pipelines up to `train` make them. Clips are
those of the validation split, so no network was trained on their recordings; a recording is in one fold only. The
labels are the teacher's, not the truth: use the accuracy only to compare recipes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog
from machine import table
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from xmodal_kedro import settings
from xmodal_kedro.errors import UserError
from xmodal_kedro.evaluation.benchmarks.benchmark import rotate
from xmodal_kedro.evaluation.probe import predict_splits
from xmodal_kedro.evaluation.representations import (
    LogMelStatistics,
    NetworkEmbedding,
    Representation,
    Sounds,
    random_network,
)
from xmodal_kedro.inference.audio_model import AudioModel
from xmodal_kedro.models.card_file import CARD_NAME, WEIGHTS_NAME
from xmodal_kedro.models.device import choose_device
from xmodal_kedro.models.files import read_model
from xmodal_kedro.params import TransferParams
from xmodal_kedro.storage import Shards

PROJECT = Path(__file__).resolve().parents[1]
SOUNDS_AT_A_TIME = 32


@dataclass(frozen=True)
class HeldOut:
    """Clips that no network was trained on.

    Attributes:
        sounds: int16 [samples] each, 16 kHz mono.
        truths_N: the teacher's first label of each.
        recordings_N: which recording each is of.
        folds_N: number of each clip's fold, from 0 on; all clips of a recording are in one.
    """

    sounds: Sounds
    truths_N: NDArray
    recordings_N: NDArray
    folds_N: NDArray[np.int64]


def open_catalog(data_root: Path, env: str) -> tuple[DataCatalog, dict[str, Any]]:
    """The catalog and the parameters of an env, with its data in `data_root`."""
    usual: dict[str, Any] = dict(settings.CONFIG_LOADER_ARGS)
    loader = OmegaConfigLoader(str(PROJECT / "conf"), env=env, runtime_params={"data_root": str(data_root)}, **usual)
    return DataCatalog.from_config(loader["catalog"], loader.get("credentials")), loader["parameters"]


def gather(clips: Shards, labels: Shards, audio_labels: Shards, folds: int, min_recordings: int) -> HeldOut:
    """Validation clips whose first label is that of enough recordings.

    Args:
        clips, labels, audio_labels: shards under the same keys.
        folds: into how many parts recordings are divided, with the classes as evenly in them as may be.
        min_recordings: minimum number of recordings of a class.

    Raises:
        UserError: if fewer than two classes have as many.
    """
    found = pd.concat([_read(clips[key], labels[key], audio_labels[key]) for key in sorted(labels)], ignore_index=True)
    recordings = found.groupby("label")["video_id"].nunique()
    found = found[found["label"].isin(recordings.index[recordings >= min_recordings])]
    if found["label"].nunique() < 2:
        raise UserError(
            f"fewer than two classes are the first label of {min_recordings} held-out recordings: set a smaller "
            "--min-recordings, or take more recordings"
        )
    truths_N, recordings_N = found["label"].to_numpy(str), found["video_id"].to_numpy(str)
    folds_N = np.zeros(len(found), np.int64)
    parts = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    for fold, (_, held_out) in enumerate(parts.split(np.zeros(len(found)), truths_N, recordings_N)):
        folds_N[held_out] = fold
    sounds = [np.frombuffer(audio, "<i2") for audio in found["audio"]]
    return HeldOut(sounds, truths_N, recordings_N, folds_N)


def _read(clips: Any, labels: Any, audio_labels: Any) -> pd.DataFrame:
    """Validation clips of one shard with their sound and the teacher's first label."""
    split = labels(["clip_id", "video_id", "split"]).to_pandas()
    opinions = audio_labels(["clip_id", "label", "score"]).to_pandas()
    best_first = opinions.sort_values("score", ascending=False, kind="stable")
    first = best_first.drop_duplicates("clip_id")[["clip_id", "label"]]
    held_out = split[split["split"] == "validation"]
    if held_out.empty:
        return held_out.assign(label="", audio=b"")
    return held_out.merge(first, on="clip_id").merge(clips(["clip_id", "audio"]).to_pandas(), on="clip_id")


def accuracies(representation: Representation, held_out: HeldOut, strengths: Sequence[float]) -> list[float]:
    """Accuracy on each fold of a probe trained on the other folds, which also choose its regularisation."""
    parts = range(0, len(held_out.sounds), SOUNDS_AT_A_TIME)
    embeddings_NE = np.concatenate(
        [representation(held_out.sounds[start : start + SOUNDS_AT_A_TIME]).embeddings for start in parts]
    ).astype(np.float64)
    splits = rotate(held_out.folds_N)
    predictions = predict_splits(embeddings_NE, held_out.truths_N, held_out.folds_N, splits, strengths)
    return [
        float(np.mean(of_split.predicted_N == held_out.truths_N[split.test]))
        for of_split, split in zip(predictions, splits, strict=True)
    ]


def measure(
    data_root: Path, models: Sequence[str], held_out: HeldOut, strengths: Sequence[float], seed: int
) -> dict[str, dict[str, list[float]]]:
    """Accuracies over folds of each network, trained and at random initialisation, and of log-mel statistics."""
    device = choose_device("auto", "device")
    log_mel = accuracies(LogMelStatistics(), held_out, strengths)
    found = {}
    for name in models:
        folder = data_root / "06_models" / name
        trained, card, _ = read_model(folder / WEIGHTS_NAME, folder / CARD_NAME)
        backbones = {"pretrained": trained, "untrained": random_network(card, seed)}
        found[name] = {
            kind: accuracies(NetworkEmbedding(AudioModel.of(backbone, card, device)), held_out, strengths)
            for kind, backbone in backbones.items()
        } | {"log-mel": log_mel}
    return found


def describe(found: dict[str, dict[str, list[float]]], held_out: HeldOut) -> str:
    """A table, in percent."""
    rows = [
        [
            name,
            *(f"{100 * np.mean(each):.1f} ± {100 * np.std(each, ddof=1):.1f}" for each in by_representation.values()),
        ]
        for name, by_representation in found.items()
    ]
    clips, recordings = len(held_out.sounds), len(np.unique(held_out.recordings_N))
    folds, classes = len(np.unique(held_out.folds_N)), len(np.unique(held_out.truths_N))
    return (
        f"{clips} held-out clips of {recordings} recordings, {classes} classes; accuracy in percent, mean ± std "
        f"over {folds} folds\n\n{table(['network', *next(iter(found.values()))], rows)}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, embed, probe, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_root", type=Path, help="folder of the data, with 06_models")
    parser.add_argument("--models", help="names below 06_models, with commas between (all)")
    parser.add_argument("--env", default="onnx", help="configuration that the data was made with (%(default)s)")
    parser.add_argument("--folds", type=int, default=5, help="parts of the recordings, at least 3 (%(default)s)")
    parser.add_argument("--min-recordings", type=int, default=5, help="that a class needs (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the random weights (%(default)s)")
    parser.add_argument("--json", type=Path, help="store the figures here")
    options = parser.parse_args(arguments)
    known = sorted(file.parent.name for file in options.data_root.glob(f"06_models/*/{CARD_NAME}"))
    models = options.models.split(",") if options.models else known
    if not models:
        parser.error(f"no network in {options.data_root / '06_models'}: run the train pipeline")
    catalog, parameters = open_catalog(options.data_root, options.env)
    clips, labels, audio_labels = (catalog.load(name) for name in ("clips", "labels", "audio_labels"))
    held_out = gather(clips, labels, audio_labels, options.folds, options.min_recordings)
    strengths = TransferParams.model_validate(parameters["transfer_eval"]).regularisation
    found = measure(options.data_root, models, held_out, strengths, options.seed)
    print(describe(found, held_out))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
