"""Embeddings of benchmark sounds by frozen networks."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xmodal_kedro.audio.log_mel import PATCH_FRAMES, LogMel, samples_for_frames
from xmodal_kedro.handles import FileRef
from xmodal_kedro.media.decode import read_audio
from xmodal_kedro.models import Backbone
from xmodal_kedro.models.card import build_network
from xmodal_kedro.pcm import INT16_FULL_SCALE

logger = logging.getLogger(__name__)


def random_network(card: Mapping[str, Any], seed: int) -> Backbone:
    """The network of a model card at random initialisation: the baseline that pretraining has to beat.

    Its batch norms keep their initial statistics (mean 0, variance 1), so they pass activations on as they are: it
    has seen no sound at all, not even to count its levels. Torch's global generator is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_network(card).eval()


def embed_files(
    files: Sequence[FileRef],
    networks: Mapping[str, Backbone],
    log_offset: float,
    batch_size: int,
    device: torch.device,
) -> dict[str, NDArray[np.float32]]:
    """Embed every sound with every network; each file is decoded once.

    A network hears the whole sound at once and pools over time as it did in training, so an embedding stands for a
    clip of any length. `batch_size` files are in memory at a time; only sounds of equal length share a forward pass,
    since padding would be heard. All in float32, so that a batch's neighbours and the device change little.

    Args:
        files: sounds of any format and length; shorter than 0.96 s they get silence at the end.
        networks: by name, in evaluation mode.
        log_offset: of the front end that the networks were trained with.
        device: where log-mel and networks run.

    Returns:
        By name of the network, float32 [files, embedding size], in the order of `files`.

    Raises:
        ValueError: naming the file, if one cannot be decoded.
    """
    front_end = LogMel(log_offset).to(device)
    for network in networks.values():
        network.to(device)
    rows: dict[str, list[NDArray[np.float32]]] = {name: [] for name in networks}
    with torch.inference_mode():
        for start in range(0, len(files), batch_size):
            sounds = [_read(file) for file in files[start : start + batch_size]]
            for name, embeddings in _embed_batch(sounds, networks, front_end, device).items():
                rows[name].append(embeddings)
            logger.info("embedded %d of %d benchmark sounds", start + len(sounds), len(files))
    return {name: np.concatenate(parts) for name, parts in rows.items()}


def _read(file: FileRef) -> NDArray[np.int16]:
    try:
        sound = read_audio(file.path)
    except ValueError as error:
        raise ValueError(f"{error}: replace {file.name} from the benchmark's archive") from error
    shortfall = samples_for_frames(PATCH_FRAMES) - len(sound)
    return np.pad(sound, (0, max(0, shortfall)))


def _embed_batch(
    sounds: Sequence[NDArray[np.int16]], networks: Mapping[str, Backbone], front_end: LogMel, device: torch.device
) -> dict[str, NDArray[np.float32]]:
    embeddings = {name: np.empty((len(sounds), net.embedding_size), np.float32) for name, net in networks.items()}
    for positions, audio_BT in _equal_lengths(sounds):
        log_mel_BFM = front_end(audio_BT.to(device).float() / INT16_FULL_SCALE)
        for name, network in networks.items():
            _, embedding_BE = network(log_mel_BFM)
            embeddings[name][positions] = embedding_BE.float().cpu().numpy()
    return embeddings


def _equal_lengths(sounds: Sequence[NDArray[np.int16]]) -> Iterator[tuple[list[int], Tensor]]:
    """Positions and int16 audio [batch, samples] of the sounds of each length."""
    groups: dict[int, list[int]] = defaultdict(list)
    for position, sound in enumerate(sounds):
        groups[len(sound)].append(position)
    for positions in groups.values():
        yield positions, torch.from_numpy(np.stack([sounds[position] for position in positions]))
