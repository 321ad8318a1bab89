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

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel

from xmodal_kedro.inference.audio_model import AudioModel

AUDIO_COLUMN = "audio"


class WaveformModel(PythonModel):
    """Embeds and scores sounds of any length; each counts as one clip, pooled over time as in training."""

    def load_context(self, context: Any) -> None:
        """Build the network, or the classifier of one's own, from the files beside its card, on CUDA if there is one.

        Raises:
            UserError: if they do not belong together.
        """
        self._model = AudioModel.load(Path(next(iter(context.artifacts.values()))).parent)

    # MLflow checks its inputs by some type hints of `model_input`; by this one it checks nothing.
    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Embed and score sounds.

        Args:
            model_input: mono audio in [-1, 1], as float32 [batch, samples], as a list or a Series of 1-D arrays of any
                lengths, or as a table with a column `audio` of these. Under 0.96 s it gets silence at the end.
            params: `sample_rate_hz`, of all these sounds (16,000 by default); others than the network's are resampled.

        Returns:
            A row for each sound, under the index of the input: `embedding`, a list of floats, and `scores`, a
            mapping of every class to its probability, the most probable first. Classes do not exclude each other, so
            the probabilities do not add up to one.

        Raises:
            MlflowException: naming the sound that is no such waveform, and what to do; a server responds with it.
        """
        sounds, index = _sounds(model_input)
        for position, sound in enumerate(sounds):
            if isinstance(sound, str | Path):  # a client of a server must not name files of the server
                raise _refusal(f"sound {position} is not a row of numbers: give one waveform for each sound")
        try:
            predicted = self._model.predict(sounds, (params or {}).get("sample_rate_hz", self._model.sample_rate))
        except ValueError as error:
            raise _refusal(str(error)) from error
        named = [zip(self._model.classes, scores_C.tolist(), strict=True) for scores_C in predicted.scores]
        return pd.DataFrame(
            {
                "embedding": predicted.embeddings.tolist(),
                "scores": [dict(sorted(pairs, key=lambda pair: -pair[1])) for pairs in named],
            },
            index=index,
        )


def _sounds(model_input: Any) -> tuple[Sequence[Any], pd.Index]:
    """The sounds one by one, and the index of their rows in the result."""
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


def _refusal(message: str) -> MlflowException:
    return MlflowException.invalid_parameter_value(message)


mlflow.models.set_model(WaveformModel())
