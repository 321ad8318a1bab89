"""A trained network behind the HEAR API, by which tools of that benchmark ask any network for embeddings.

The API is that of Turian et al., "HEAR: Holistic Evaluation of Audio Representations" (2022), as written down at
https://hearbenchmark.com/hear-api.html. How to run the benchmark: docs/hear.md.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xmodal_kedro.features.log_mel import HOP_LENGTH, PATCH_FRAMES, LogMel, frame_patches, samples_for_frames
from xmodal_kedro.models import Backbone
from xmodal_kedro.models.files import CARD_NAME, WEIGHTS_NAME, read_model

TIMESTAMP_FRAMES = 5
"""Frames from one timestamp to the next: 50 ms, the most that the API suggests, for the tolerance of its onsets."""
WINDOW_SAMPLES = samples_for_frames(PATCH_FRAMES)
BATCH_WINDOWS = 128
"""Most windows of one forward pass, so that memory hardly grows with the sound."""


class HearModel(nn.Module):
    """A network with its front end: from sound to embeddings, each of a whole sound or of one window.

    `sample_rate` is in Hz. Both kinds of embedding come from one layer, so `scene_embedding_size` and
    `timestamp_embedding_size` are equal.
    """

    def __init__(self, network: Backbone, log_offset: float, sample_rate: int) -> None:
        super().__init__()
        self.network = network
        self.log_mel = LogMel(log_offset)
        self.sample_rate = sample_rate
        self.scene_embedding_size = network.embedding_size
        self.timestamp_embedding_size = network.embedding_size

    def forward(self, audio_BT: Tensor) -> Tensor:
        """Embed sounds of 0.975 s or longer, float [batch, samples]: float32 [batch, embedding size]."""
        return self.embed(self.log_mel(audio_BT))

    def embed(self, log_mel_BFM: Tensor) -> Tensor:
        _, embedding_BE = self.network(log_mel_BFM)
        return embedding_BE.float()


def load_model(model_file_path: str = "") -> HearModel:
    """Load a trained network, in evaluation mode on the CPU.

    Args:
        model_file_path: the network's folder under `06_models`, or its safetensors file with `card.json` beside it.

    Raises:
        FileNotFoundError: naming the file that is not there.
        ValueError: for an empty path, since no network is built in, and for files that are broken or do not belong
            together.
    """
    if not model_file_path:
        raise ValueError(
            f"model_file_path is empty, and no network is built in: give a folder that holds {WEIGHTS_NAME} and "
            f"{CARD_NAME}, such as data/06_models/vggish_plus (--model of HEAR's tools)"
        )
    path = Path(model_file_path)
    weights_file = path / WEIGHTS_NAME if path.is_dir() else path
    network, card = read_model(weights_file, weights_file.with_name(CARD_NAME))
    return HearModel(network, card["front_end"]["log_offset"], card["front_end"]["sample_rate_hz"]).eval()


@torch.no_grad()
def get_scene_embeddings(audio: Tensor, model: HearModel) -> Tensor:
    """Embed whole sounds: the network hears each at once and pools over time as it did in training.

    Args:
        audio: float [n_sounds, n_samples] in [-1, 1] at `model.sample_rate`, on the model's device. Below 0.975 s,
            sounds get silence at the end.

    Returns:
        float32 [n_sounds, scene_embedding_size], on the same device.

    Raises:
        ValueError: if `audio` is no such tensor.
    """
    _check(audio)
    return model(F.pad(audio, (0, max(0, WINDOW_SAMPLES - audio.shape[1]))))


@torch.no_grad()
def get_timestamp_embeddings(audio: Tensor, model: HearModel) -> tuple[Tensor, Tensor]:
    """Embed a window of 0.975 s around every timestamp: 0 ms, 50 ms and so on, to the end of the sound.

    Windows that reach over the ends of a sound hear silence there.

    Args:
        audio: float [n_sounds, n_samples] in [-1, 1] at `model.sample_rate`, on the model's device.

    Returns:
        Embeddings, float32 [n_sounds, n_timestamps, timestamp_embedding_size], and timestamps in ms, float32
        [n_sounds, n_timestamps], on the same device. n_timestamps = 1 + n_samples // 800.

    Raises:
        ValueError: if `audio` is no such tensor.
    """
    _check(audio)
    log_mel_BFM = model.log_mel(F.pad(audio, (WINDOW_SAMPLES // 2, WINDOW_SAMPLES // 2)))
    windows_BPFM = frame_patches(log_mel_BFM, PATCH_FRAMES, TIMESTAMP_FRAMES)
    sounds, windows = windows_BPFM.shape[:2]
    positions = torch.arange(sounds * windows, device=audio.device)
    parts = [
        model.embed(windows_BPFM[part // windows, part % windows])  # a copy of these windows alone: all overlap
        for part in positions.split(BATCH_WINDOWS)
    ]
    interval_ms = 1_000 * TIMESTAMP_FRAMES * HOP_LENGTH / model.sample_rate
    timestamps = torch.arange(windows, dtype=torch.float32, device=audio.device) * interval_ms
    return torch.cat(parts).unflatten(0, (sounds, windows)), timestamps.repeat(sounds, 1)


def _check(audio: Tensor) -> None:
    if audio.ndim != 2 or not audio.numel():
        raise ValueError(f"audio is {list(audio.shape)}: give [n_sounds, n_samples], mono, with at least one sample")
    if not audio.is_floating_point():
        raise ValueError(f"audio is {audio.dtype}: give floats in [-1, 1]; divide integers by their full scale")
