"""Where in VGGish's layers something is learnt: linear probes on ESC-10 before and after its layers over a patch.

For a trained `vggish`, or `vggish_plus` with `pooling: flat`, and the same network at random initialisation: accuracy
over the official folds, in percent, of probes on the mean and the maximum over time of

- the maps of its convolutions, each band by itself;
- its embedding of 128 numbers of each patch of 0.96 s, before its activation, which `transfer_eval` judges;
- the same after its activation, which the classifier sees.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from machine import table
from numpy.typing import NDArray

from xmodal_kedro.datasets.folder import FolderDataset
from xmodal_kedro.errors import UserError
from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark
from xmodal_kedro.evaluation.predictions import probe_splits
from xmodal_kedro.evaluation.representations import random_network
from xmodal_kedro.features.log_mel import LogMel, frame_patches
from xmodal_kedro.inference.batching import at_least_a_patch
from xmodal_kedro.inference.waveforms import from_int16
from xmodal_kedro.media.sound_file import read_audio
from xmodal_kedro.models.backbone import Backbone
from xmodal_kedro.models.card_file import CARD_NAME, WEIGHTS_NAME
from xmodal_kedro.models.files import read_model
from xmodal_kedro.models.vggish import VGGish
from xmodal_kedro.models.vggish_plus import Flat, VGGishPlus
from xmodal_kedro.models.waveform_network import mean_and_max
from xmodal_kedro.params import TransferParams

LAYERS = ("convolutions", "embedding", "embedding, after ReLU")


def layers(network: Backbone, log_mel_BFM: torch.Tensor) -> list[torch.Tensor]:
    """What stands at each of `LAYERS` for one sound, [1, steps, numbers].

    Raises:
        UserError: if the network has no layers over a patch.
    """
    if isinstance(network, VGGish):
        convolutions, embed = network.features, network.embed
    elif isinstance(network, VGGishPlus) and isinstance(network.pool, Flat):
        convolutions, embed = network.features, network.pool.embed
    else:
        raise UserError(
            "this network has no layers over a patch: name a `vggish`, or a `vggish_plus` of `pooling: flat`"
        )
    maps_NCFM = convolutions(frame_patches(log_mel_BFM).flatten(0, 1).unsqueeze(1))
    embedding_NE = embed(maps_NCFM.permute(0, 2, 3, 1).flatten(1))
    rows_SE = maps_NCFM.permute(0, 2, 1, 3).flatten(2).flatten(0, 1)
    return [rows_SE[None], embedding_NE[None], embedding_NE.relu()[None]]


def represent(network: Backbone, log_offset: float, sounds: Sequence[NDArray[np.int16]]) -> list[NDArray[np.float64]]:
    """Mean and maximum over time at each of `LAYERS` [sounds, numbers]."""
    front_end, found = LogMel(log_offset), []
    with torch.inference_mode():
        for sound in sounds:
            log_mel_BFM = front_end(torch.from_numpy(from_int16(at_least_a_patch(sound)))[None])
            found.append([mean_and_max(each)[0].numpy() for each in layers(network, log_mel_BFM)])
    return [np.stack(of_layer).astype(np.float64) for of_layer in zip(*found, strict=True)]


def measure(model: Path, esc10: Path, seed: int, strengths: Sequence[float]) -> dict[str, dict[str, list[float]]]:
    """Accuracies over folds at each of `LAYERS`, by whether the network is trained."""
    trained, card, _ = read_model(model / WEIGHTS_NAME, model / CARD_NAME)
    benchmark = read_benchmark(FolderDataset(path=str(esc10)).load(), "esc10")
    sounds = [read_audio(file.path) for file in benchmark.audio]
    found: dict[str, dict[str, list[float]]] = {}
    for kind, network in (("untrained", random_network(card, seed)), ("trained", trained)):
        vectors = represent(network, card["front_end"]["log_offset"], sounds)
        predicted = [probe_splits(benchmark, vectors_NE, strengths) for vectors_NE in vectors]
        found[kind] = {
            layer: [float(value) for value in rows["truth"].eq(rows["predicted"]).groupby(rows["fold"]).mean()]
            for layer, rows in zip(LAYERS, predicted, strict=True)
        }
    return found


def describe(found: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """A table, in percent."""
    rows = [
        [kind, *(f"{100 * np.mean(each):.1f} ± {100 * np.std(each, ddof=1):.1f}" for each in by_layer.values())]
        for kind, by_layer in found.items()
    ]
    return table(["network", *LAYERS], rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, embed, probe, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder with weights and card")
    parser.add_argument("--esc10", type=Path, required=True, help="folder of ESC-10")
    parser.add_argument("--seed", type=int, default=0, help="of the random weights (%(default)s)")
    parser.add_argument("--json", type=Path, help="store the figures here")
    options = parser.parse_args(arguments)
    found = measure(options.model, options.esc10, options.seed, TransferParams().regularisation)
    print(describe(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
