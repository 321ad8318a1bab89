"""A trained network in use: sounds in, embeddings and named scores out.

from xmodal_kedro import load

network = load("data/06_models/vggish_plus")     # or "models:/vggish_plus@best", an address of MLflow
network.embed(audio, sample_rate)                # float32 [embedding size]
network.tag(audio, sample_rate)                  # [("dog", 0.93), ("bark", 0.88), ...]
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.signal import resample_poly

from xmodal_kedro.features.log_mel import LogMel
from xmodal_kedro.inference.batching import equal_lengths
from xmodal_kedro.models.backbone import Backbone
from xmodal_kedro.models.device import choose_device
from xmodal_kedro.models.files import CARD_NAME, WEIGHTS_NAME, read_model

BATCH_SOUNDS = 32
"""Most sounds of one forward pass."""
MIN_RATE_HZ, MAX_RATE_HZ = 1000, 768_000
"""Of any recorder: fewer are kilohertz. The filter of a resampler grows with the rate."""
MAX_AMPLITUDE = 4.0
"""Lossy decoders overshoot 1 by a little; integers that were never divided exceed it by thousands."""
ADDRESS = re.compile(r"(models|runs|mlflow-artifacts):/", re.ASCII)
"""How an address of MLflow begins."""


class Prediction(NamedTuple):
    """What a network makes of sounds.

    Attributes:
        embeddings: float32 [sounds, embedding size].
        scores: probabilities of the network's classes, which do not exclude each other, float32 [sounds, classes].
    """

    embeddings: NDArray[np.float32]
    scores: NDArray[np.float32]


class AudioModel:
    """A network with its front end and its card. Each sound counts as one clip, pooled over time as in training.

    Args:
        network: in evaluation mode.
        card: its.
        device: where it runs.
    """

    def __init__(self, network: Backbone, card: dict[str, Any], device: torch.device) -> None:
        self.card = card
        self._device = device
        self._network = network.to(device)
        self._log_mel = LogMel(card["front_end"]["log_offset"]).to(device)

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of `Prediction.scores`."""
        return list(self.card["classes"])

    @property
    def sample_rate(self) -> int:
        """Rate that the network hears at, Hz; sound of other rates is resampled to it."""
        return int(self.card["front_end"]["sample_rate_hz"])

    def embed(self, audio: ArrayLike, sample_rate: int) -> NDArray[np.float32]:
        """Embed one sound.

        Args:
            audio: mono, float in [-1, 1], [samples]. Under 0.975 s it gets silence at the end.
            sample_rate: its rate, Hz.

        Returns:
            float32 [embedding size].

        Raises:
            ValueError: saying why that is no such sound, and what to do.
        """
        return self.hear([audio], sample_rate).embeddings[0]

    def tag(self, audio: ArrayLike, sample_rate: int, top: int = 5) -> list[tuple[str, float]]:
        """The `top` most probable classes of one sound with their probabilities; arguments and errors as `embed`."""
        scores_C = self.hear([audio], sample_rate).scores[0]
        best = np.argsort(-scores_C, kind="stable")[:top]
        return [(self.card["classes"][at], float(scores_C[at])) for at in best]

    def hear(self, sounds: Sequence[ArrayLike], sample_rate: int) -> Prediction:
        """Embed and score sounds of any lengths, each alike whatever comes with it.

        Args:
            sounds: as `embed` takes them.
            sample_rate: of all of them, Hz.

        Raises:
            ValueError: naming the sound by its position.
        """
        rate_hz = _checked_rate(sample_rate)
        prepared = [self._prepare(sound, position, rate_hz) for position, sound in enumerate(sounds)]
        embeddings = np.zeros((len(prepared), self.card["embedding_size"]), np.float32)
        scores = np.zeros((len(prepared), len(self.card["classes"])), np.float32)
        for positions, audio_BT in equal_lengths(prepared, BATCH_SOUNDS):
            with torch.inference_mode():
                logits_BC, embedding_BE = self._network(self._log_mel(audio_BT.to(self._device)))
            embeddings[positions] = embedding_BE.float().cpu().numpy()
            scores[positions] = logits_BC.float().sigmoid().cpu().numpy()
        return Prediction(embeddings, scores)

    def _prepare(self, sound: Any, position: int, rate_hz: int) -> NDArray[np.float32]:
        """A sound at the network's rate."""
        audio_T = _checked(sound, position)
        if rate_hz != self.sample_rate:
            common = math.gcd(rate_hz, self.sample_rate)
            audio_T = resample_poly(audio_T, self.sample_rate // common, rate_hz // common).astype(np.float32)
        return audio_T


def _checked_rate(rate: Any) -> int:
    """A sample rate in Hz, which may come as a float of a whole number."""
    is_number = isinstance(rate, (int, float, np.integer, np.floating)) and not isinstance(rate, bool)
    if not is_number or not MIN_RATE_HZ <= rate <= MAX_RATE_HZ or rate != int(rate):
        raise ValueError(f"the sample rate is {rate!r}: give the samples per second of the sounds, such as 16000")
    return int(rate)


def load(source: str | Path, device: Literal["auto", "cpu", "cuda"] = "auto") -> AudioModel:
    """Load a trained network.

    Args:
        source: the network's folder under `06_models`, its safetensors file with `card.json` beside it, or an address
            of MLflow: `models:/NAME@ALIAS` or `models:/NAME/VERSION` of its registry, or the tag `model.uri` of a run.
        device: `auto` takes CUDA where there is one.

    Raises:
        FileNotFoundError: naming the file that is not there.
        ValueError: for files that are broken or do not belong together, and where CUDA is wanted and absent.
    """
    place = _fetched(str(source)) if ADDRESS.match(str(source)) else Path(source)
    weights_file = place / WEIGHTS_NAME if place.is_dir() else place
    network, card = read_model(weights_file, weights_file.with_name(CARD_NAME))
    return AudioModel(network, card, choose_device(device, "device"))


def _fetched(address: str) -> Path:
    """The folder with weights and card of a model that MLflow keeps."""
    import mlflow

    return Path(mlflow.artifacts.download_artifacts(artifact_uri=address)) / "artifacts"


def _checked(sound: Any, position: int) -> NDArray[np.float32]:
    kind = np.asarray(sound).dtype.kind if hasattr(sound, "dtype") else "f"
    if kind in "iuc":  # of arrays alone: a list of whole numbers is what JSON makes of 0.0
        remedy = "give its real part" if kind == "c" else "divide it by the full scale of its integers"
        raise ValueError(f"sound {position} has samples of type {sound.dtype}, give floats in [-1, 1]: {remedy}")
    try:
        audio_T = np.asarray(sound, np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"sound {position} is not a row of numbers: give one waveform for each sound") from error
    if audio_T.ndim != 1:
        raise ValueError(f"sound {position} has {audio_T.ndim} dimensions: mix its channels to one, give 1-D waveforms")
    if len(audio_T) == 0:
        raise ValueError(f"sound {position} is empty: leave it out")
    if not np.isfinite(audio_T).all():
        raise ValueError(f"sound {position} has samples that are not finite: replace them or leave it out")
    if np.abs(audio_T).max() > MAX_AMPLITUDE:
        raise ValueError(f"sound {position} is not in [-1, 1]: divide integers by their full scale")
    return audio_T
