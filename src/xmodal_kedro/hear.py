"""A trained network behind the HEAR API, by which tools of that benchmark take embeddings from any network.

The API is that of Turian et al., "HEAR: Holistic Evaluation of Audio Representations" (2022), as specified at
https://hearbenchmark.com/hear-api.html. How to run the benchmark: docs/hear.md.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xmodal_kedro.errors import UserError
from xmodal_kedro.features.framing import HOP_LENGTH, PATCH_FRAMES, samples_for_frames
from xmodal_kedro.features.log_mel import frame_patches
from xmodal_kedro.inference.audio_model import AudioModel
from xmodal_kedro.models.card_file import CARD_NAME, WEIGHTS_NAME
from xmodal_kedro.models.waveform_network import WaveformNetwork

TIMESTAMP_FRAMES = 5
"""Frames from one timestamp to the next: 50 ms, the max that the API suggests, for the tolerance of its onsets."""
WINDOW_SAMPLES = samples_for_frames(PATCH_FRAMES)
BATCH_WINDOWS = 128
"""Max windows of one forward pass, so that memory hardly grows with the length of the audio."""


class HearModel(nn.Module):
    """The network of an `AudioModel` as a torch module, which HEAR's tools move to their device.

    `sample_rate` is in Hz. Both kinds of embedding come from one layer, so `scene_embedding_size` and
    `timestamp_embedding_size` are equal.
    """

    def __init__(self, network: WaveformNetwork, sample_rate: int) -> None:
        super().__init__()
        self.network = network
        self.sample_rate = sample_rate
        self.scene_embedding_size = self.timestamp_embedding_size = network.backbone.embedding_size

    def forward(self, audio_BT: Tensor) -> Tensor:
        """Embed sounds of 0.975 s or longer, float [batch, samples]: float32 [batch, embedding size]."""
        embedding_BE: Tensor = self.network(audio_BT)[0]
        return embedding_BE.float()


def load_model(model_file_path: str = "") -> HearModel:
    """Load a trained network, in evaluation mode on the CPU.

    Args:
        model_file_path: as `AudioModel.load` takes it: the network's folder under `06_models`, or its safetensors file
            with `card.json` beside it.

    Raises:
        FileNotFoundError: naming the file that is not there.
        UserError: for an empty path, since no network is built in, for files that are broken or do not belong
            together, and for an ONNX file.
    """
    if not model_file_path:
        raise UserError(
            f"model_file_path is empty, and no network is built in: give a folder that holds {WEIGHTS_NAME} and "
            f"{CARD_NAME}, such as data/sample/06_models/vggish_plus (--model of HEAR's tools)"
        )
    model = AudioModel.load(model_file_path, "cpu")
    return HearModel(model.torch_network, model.sample_rate).eval()


@torch.no_grad()
def get_scene_embeddings(audio: Tensor, model: HearModel) -> Tensor:
    """Embed whole sounds, each in one forward pass that pools over time as in training.

    Args:
        audio: float [n_sounds, n_samples] in [-1, 1] at `model.sample_rate`, on the model's device. Below 0.975 s,
            sounds get silence at the end.

    Returns:
        float32 [n_sounds, scene_embedding_size], on the same device.

    Raises:
        UserError: if `audio` is no such tensor.
    """
    _check(audio)
    return model(F.pad(audio, (0, max(0, WINDOW_SAMPLES - audio.shape[1]))))


@torch.no_grad()
def get_timestamp_embeddings(audio: Tensor, model: HearModel) -> tuple[Tensor, Tensor]:
    """Embed a window of 0.975 s around every timestamp: 0 ms, 50 ms and so on, to the end of the audio.

    Windows that reach over the ends of the audio are filled with silence.

    Args:
        audio: float [n_sounds, n_samples] in [-1, 1] at `model.sample_rate`, on the model's device.

    Returns:
        Embeddings, float32 [n_sounds, n_timestamps, timestamp_embedding_size], and timestamps in ms, float32
        [n_sounds, n_timestamps], on the same device. n_timestamps = 1 + n_samples // 800.

    Raises:
        UserError: if `audio` is no such tensor.
    """
    _check(audio)
    log_mel_BFM = model.network.log_mel(F.pad(audio, (WINDOW_SAMPLES // 2, WINDOW_SAMPLES // 2)))
    windows_BPFM = frame_patches(log_mel_BFM, PATCH_FRAMES, TIMESTAMP_FRAMES)
    sounds, windows = windows_BPFM.shape[:2]
    positions = torch.arange(sounds * windows, device=audio.device)
    parts = [
        model.network.backbone(windows_BPFM[part // windows, part % windows])[1].float()  # copies these windows alone
        for part in positions.split(BATCH_WINDOWS)
    ]
    interval_ms = 1_000 * TIMESTAMP_FRAMES * HOP_LENGTH / model.sample_rate
    timestamps = torch.arange(windows, dtype=torch.float32, device=audio.device) * interval_ms
    return torch.cat(parts).unflatten(0, (sounds, windows)), timestamps.repeat(sounds, 1)


def _check(audio: Tensor) -> None:
    if audio.ndim != 2 or not audio.numel():
        raise UserError(f"audio is {list(audio.shape)}: give [n_sounds, n_samples], mono, with at least one sample")
    if not audio.is_floating_point():
        raise UserError(f"audio is {audio.dtype}: give floats in [-1, 1]; divide integers by their full scale")
