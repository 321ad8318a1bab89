"""A trained network as an MLflow model: waveforms in, embeddings and named scores out.

MLflow keeps a copy of this file with the weights (safetensors) and their card (JSON), and runs it to load them ("models
from code"): nothing is ever unpickled. It needs this package installed where it runs:

    model = mlflow.pyfunc.load_model("models:/m-...")          # the address is the tag `model.uri` of the run
    model.predict(audio_BT)                                    # at 16 kHz
    model.predict(sounds, params={"sample_rate_hz": 44_100})

    mlflow models serve --env-manager local -m models:/m-...   # then POST /invocations:
    {"dataframe_records": [{"audio": [0.0, 0.1, ...]}], "params": {"sample_rate_hz": 44100}}
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import torch
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel
from numpy.typing import NDArray
from scipy.signal import resample_poly
from torch import Tensor

from xmodal_kedro.audio.log_mel import PATCH_FRAMES, LogMel, samples_for_frames
from xmodal_kedro.models.device import choose_device
from xmodal_kedro.models.files import read_model

AUDIO_COLUMN = "audio"
BATCH_SOUNDS = 32
"""Most sounds of one forward pass."""
HIGHEST_RATE_HZ = 768_000
"""Of any recorder. The filter of a resampler grows with the rate."""
LOUDEST = 4.0
"""Lossy decoders overshoot 1 by a little; integers that were never divided exceed it by thousands."""


class WaveformModel(PythonModel):
    """Embeds and scores sounds of any length; each counts as one clip, pooled over time as in training."""

    def load_context(self, context: Any) -> None:
        """Build the network from `weights.safetensors` and `card.json`, on CUDA where there is one.

        Raises:
            ValueError: if they do not belong together.
        """
        network, self._card = read_model(Path(context.artifacts["weights"]), Path(context.artifacts["card"]))
        self._device = choose_device("auto", "device")
        self._network = network.to(self._device)
        self._log_mel = LogMel(self._card["front_end"]["log_offset"]).to(self._device)

    # Of the hints that MLflow takes for `model_input`, it checks nothing by this one.
    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Embed and score sounds.

        Args:
            model_input: mono sound in [-1, 1], as float32 [batch, samples], as a list or a Series of 1-D arrays of any
                lengths, or as a table with a column `audio` of these. Under 0.96 s it gets silence at the end.
            params: `sample_rate_hz`, of all these sounds (16,000 by default); others than the network's are resampled.

        Returns:
            A row for each sound, under the index of what came in: `embedding`, a list of floats, and `scores`, a
            mapping of every class to its probability, the most probable first. Classes do not exclude each other, so
            the probabilities do not add up to one.

        Raises:
            MlflowException: naming the sound that is no such waveform, and what to do; a server answers with it.
        """
        rate_hz = (params or {}).get("sample_rate_hz", self._card["front_end"]["sample_rate_hz"])
        sounds, index = _sounds(model_input)
        prepared = [self._prepare(sound, position, rate_hz) for position, sound in enumerate(sounds)]
        rows: list[dict[str, Any]] = [{}] * len(prepared)
        for positions, audio_BT in _equal_lengths(prepared):
            for position, row in zip(positions, self._rows(audio_BT), strict=True):
                rows[position] = row
        return pd.DataFrame(rows, index=index, columns=["embedding", "scores"])

    @torch.inference_mode()
    def _rows(self, audio_BT: Tensor) -> Iterator[dict[str, Any]]:
        logits_BC, embedding_BE = self._network(self._log_mel(audio_BT.to(self._device)))
        for scores, embedding in zip(logits_BC.float().sigmoid().tolist(), embedding_BE.float().tolist(), strict=True):
            named = zip(self._card["classes"], scores, strict=True)
            yield {"embedding": embedding, "scores": dict(sorted(named, key=lambda pair: -pair[1]))}

    def _prepare(self, sound: Any, position: int, rate_hz: int) -> NDArray[np.float32]:
        """A sound at the network's rate and at least a patch long."""
        audio_T = _checked(sound, position)
        own_rate_hz = self._card["front_end"]["sample_rate_hz"]
        if not 1 <= rate_hz <= HIGHEST_RATE_HZ:
            raise _refusal(f"sample_rate_hz is {rate_hz}: give the samples per second of the sounds")
        if rate_hz != own_rate_hz:
            common = math.gcd(rate_hz, own_rate_hz)
            audio_T = resample_poly(audio_T, own_rate_hz // common, rate_hz // common).astype(np.float32)
        return np.pad(audio_T, (0, max(0, samples_for_frames(PATCH_FRAMES) - len(audio_T))))


def _sounds(model_input: Any) -> tuple[Sequence[Any], pd.Index]:
    """The sounds one by one, and the index of the rows that answer them."""
    if isinstance(model_input, pd.DataFrame):
        if AUDIO_COLUMN not in model_input:
            raise _refusal(f"the table has no column {AUDIO_COLUMN!r}: give it one, each cell a waveform")
        model_input = model_input[AUDIO_COLUMN]
    if isinstance(model_input, pd.Series):
        return model_input.tolist(), model_input.index
    if isinstance(model_input, np.ndarray) and model_input.ndim != 2 and model_input.dtype != object:
        raise _refusal(f"the array has {model_input.ndim} dimensions: give [batch, samples], or a list of waveforms")
    if not isinstance(model_input, list | tuple | np.ndarray):
        raise _refusal(
            f"{type(model_input).__name__} holds no waveforms: give an array [batch, samples], a list of waveforms or "
            f"a table with a column {AUDIO_COLUMN!r}"
        )
    return list(model_input), pd.RangeIndex(len(model_input))


def _checked(sound: Any, position: int) -> NDArray[np.float32]:
    try:
        audio_T = np.asarray(sound, np.float32)
    except (TypeError, ValueError) as error:
        raise _refusal(f"sound {position} is not a row of numbers: give one waveform for each sound") from error
    if audio_T.ndim != 1:
        raise _refusal(f"sound {position} has {audio_T.ndim} dimensions: mix its channels to one, give 1-D waveforms")
    if len(audio_T) == 0:
        raise _refusal(f"sound {position} is empty: leave it out")
    if not np.isfinite(audio_T).all():
        raise _refusal(f"sound {position} has samples that are not finite: replace them or leave it out")
    if np.abs(audio_T).max() > LOUDEST:
        raise _refusal(f"sound {position} is not in [-1, 1]: divide integers by their full scale")
    return audio_T


def _refusal(message: str) -> MlflowException:
    return MlflowException.invalid_parameter_value(message)


def _equal_lengths(sounds: Sequence[NDArray[np.float32]]) -> Iterator[tuple[list[int], Tensor]]:
    """Positions and audio [batch, samples] of sounds of one length, since padding would be heard."""
    groups: dict[int, list[int]] = defaultdict(list)
    for position, sound in enumerate(sounds):
        groups[len(sound)].append(position)
    for group in groups.values():
        for start in range(0, len(group), BATCH_SOUNDS):
            positions = group[start : start + BATCH_SOUNDS]
            yield positions, torch.from_numpy(np.stack([sounds[position] for position in positions]))


mlflow.models.set_model(WaveformModel())
