"""A trained network in use: audio in, embeddings and named scores out.

from xmodal_kedro import load

model = load("data/sample/06_models/vggish_plus")     # or an MLflow URI such as "models:/NAME/1", or a model.onnx
model.tag("trip/0001.mp4")                     # [("dog", 0.93), ("bark", 0.88), ...]; any file of sound or video
model.tag(audio, sample_rate)                  # or samples, such as soundfile.read returns them
model.embed(audio, sample_rate)                # float32 [embedding size]
model.predict(audios, sample_rate)             # embeddings and scores of many
model.similar("tap.wav", within="data/07_model_output/vggish_plus/recordings")  # where else it is heard
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xmodal_kedro.errors import UserError
from xmodal_kedro.inference.batching import equal_lengths
from xmodal_kedro.inference.opening import open_network
from xmodal_kedro.inference.waveforms import checked_rate, checked_waveform, resampled
from xmodal_kedro.models.card_file import CARD_NAME, WEIGHTS_NAME
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ

if TYPE_CHECKING:  # torch takes seconds, which an ONNX file need not
    import torch
    from torch import nn

    from xmodal_kedro.inference.onnx_network import OnnxNetwork
    from xmodal_kedro.inference.similar import Match
    from xmodal_kedro.inference.teacher_network import TeacherNetwork
    from xmodal_kedro.inference.torch_network import TorchNetwork
    from xmodal_kedro.models.backbone import Backbone
    from xmodal_kedro.models.waveform_network import WaveformNetwork

logger = logging.getLogger(__name__)

Sound: TypeAlias = ArrayLike | str | Path
"""Samples, or the address of a file."""
BATCH_SIZE = 32
"""Max sounds of one forward pass, where the caller does not say."""


class Prediction(NamedTuple):
    """What a model returns for some sounds.

    Attributes:
        embeddings: float32 [sounds, embedding size].
        scores: probabilities of the model's classes, float32 [sounds, classes].
    """

    embeddings: NDArray[np.float32]
    scores: NDArray[np.float32]


class AudioModel:
    """A network with its front end and its card: every use of a trained network goes through it.

    It checks and resamples waveforms, pads those under a patch of 0.975 s with silence at the end, and batches sounds
    of equal length alone, since the network would hear other padding. Each sound counts as one clip, pooled over time
    as in training. It computes in float32, so that the other sounds of a batch and the device change little.

    Args:
        network: float32 [sounds, samples] to embeddings and scores.
        card: as `models.card.make_card` makes it, at least its classes and the sample rate of the front end.
        by_torch: gives the same network by torch; None where there are no weights.
    """

    def __init__(
        self,
        network: TorchNetwork | OnnxNetwork | TeacherNetwork,
        card: Mapping[str, Any],
        by_torch: Callable[[], TorchNetwork] | None,
    ) -> None:
        self.network, self.card, self._by_torch = network, card, by_torch

    @classmethod
    def of(
        cls, backbone: Backbone, card: Mapping[str, Any], device: torch.device, head: nn.Linear | None = None
    ) -> Self:
        """From a backbone, and the head of a classifier on it, in evaluation mode; both are moved to the device."""
        from xmodal_kedro.inference.torch_network import TorchNetwork

        network = TorchNetwork(backbone, card, device, head)
        return cls(network, card, lambda: network)

    @classmethod
    def load(cls, source: str | Path, device: Literal["auto", "cpu", "cuda"] = "auto") -> Self:
        """Load a trained network.

        Args:
            source: the folder under `06_models` of a network, or of a classifier of the pipeline `adapt`; its weights
                with `card.json` beside them; a `model.onnx`, or a folder that holds nothing else; or an MLflow URI:
                `models:/NAME@ALIAS` or `models:/NAME/VERSION` of its registry, or the tag `model.uri` of a run.
            device: `auto` takes CUDA where there is one. On a CPU, a `model.onnx` of the same network beside the
                weights is run by onnxruntime, without torch.

        Raises:
            FileNotFoundError: naming the file that is not there.
            UserError: for files that are broken or do not belong together, for a model that MLflow does not have, and
                where CUDA is wanted and absent.
        """
        return cls(*open_network(source, device))

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of `Prediction.scores`."""
        return list(self.card["classes"])

    @property
    def thresholds(self) -> NDArray[np.float32]:
        """The lowest score of each class that keeps the precision of the card; infinite if none does [classes].

        Raises:
            UserError: if the card has none: classifiers of the pipeline `adapt` have them, and networks for which
                `tag_thresholds` was run.
        """
        kept = self.card.get("thresholds")
        if not kept:
            raise UserError(
                "this network's card has no thresholds that keep a precision: review its labels and run the pipeline "
                "tag_thresholds, make a classifier of your own with adapt, or set a lowest score"
            )
        found = [kept.get(name) for name in self.classes]
        if all(threshold is None for threshold in found):
            logger.warning("no class of this network has a threshold yet, so that nothing is sure: label more clips")
        return np.array([math.inf if threshold is None else threshold for threshold in found], np.float32)

    @property
    def sample_rate(self) -> int:
        """Rate of the network's input, Hz; audio of other rates is resampled to it."""
        return int(self.card["front_end"]["sample_rate_hz"])

    @property
    def device(self) -> str:
        """Where the network runs: `cpu` or `cuda`."""
        return self.network.device_type

    @property
    def fingerprint(self) -> str:
        """Of the weights and the front end.

        Raises:
            UserError: for an ONNX file, which does not state all that it was made of.
        """
        return self.network.fingerprint if self._by_torch is None else self._by_torch().fingerprint

    @property
    def torch_network(self) -> WaveformNetwork:
        """The network with all that it computes, as a module of torch.

        Raises:
            UserError: for an ONNX file, which holds embeddings and scores alone.
        """
        return self._torch().module

    def _torch(self) -> TorchNetwork:
        if self._by_torch is None:
            raise UserError(
                f"{self.network.source} gives embeddings and scores, not features over time: load a folder that holds "
                f"{WEIGHTS_NAME} and {CARD_NAME}"
            )
        return self._by_torch()

    def embed(self, audio: Sound, sample_rate: int | None = None) -> NDArray[np.float32]:
        """Embed one sound.

        Args:
            audio: samples, or a file. Samples are [samples] or [samples, channels], as floats in [-1, 1] or integers of
                8, 16 or 32 bits; see `waveforms.checked_waveform`. A file is the path or URL of any sound or video, of
                up to ten minutes; it is read and mixed down as clips are.
            sample_rate: rate of the samples, Hz; not needed for a file.

        Returns:
            float32 [embedding size].

        Raises:
            UserError: if that is no such sound; says why, and what to do.
        """
        return self.predict([audio], sample_rate).embeddings[0]

    def tag(
        self, audio: Sound, sample_rate: int | None = None, top: int = 5, sure: bool = False
    ) -> list[tuple[str, float]]:
        """The `top` most probable classes of one sound with their probabilities; arguments and errors as `embed`.

        Args:
            sure: return only classes at or above their `thresholds`.
        """
        lowest_C = self.thresholds if sure else np.zeros(len(self.classes), np.float32)
        scores_C = self.predict([audio], sample_rate).scores[0]
        best = [at for at in np.argsort(-scores_C, kind="stable") if scores_C[at] >= lowest_C[at]][:top]
        return [(self.card["classes"][at], float(scores_C[at])) for at in best]

    def similar(
        self,
        example: Sound,
        within: str | Path,
        sample_rate: int | None = None,
        count: int = 20,
        per_recording: int | None = None,
    ) -> list[Match]:
        """The windows of embedded recordings that are nearest to an example, the nearest first.

        Args:
            example: as `embed` takes it.
            within: a folder `recordings` that the pipeline `embed` made with this network, such as
                `data/07_model_output/vggish_plus/recordings`.
            sample_rate: of samples, Hz.
            count: how many windows.
            per_recording: max of one recording; None sets no limit.

        Raises:
            UserError: as `embed`, and if there are no embeddings, or they are of another network.
        """
        from xmodal_kedro.inference.similar import open_index

        return open_index(within).nearest(self.embed(example, sample_rate), count, per_recording)

    def predict(
        self, audios: Sequence[Sound], sample_rate: int | None = None, batch_size: int | None = BATCH_SIZE
    ) -> Prediction:
        """Embed and score sounds of any lengths; the result for each does not depend on the others.

        Args:
            audios: as `embed` takes one.
            sample_rate: of all that are samples, Hz.
            batch_size: max sounds of one forward pass; None sets no limit.

        Raises:
            UserError: naming the sound by its position.
        """
        return self._in_batches(self.network, audios, sample_rate, batch_size)

    def over_time(
        self, audios: Sequence[Sound], sample_rate: int | None = None, batch_size: int | None = BATCH_SIZE
    ) -> Prediction:
        """As `predict`, with other embeddings: mean and maximum over time of what the network's own is pooled from.

        A probe on these sees a short event as well as a lasting sound, however the network itself pools.

        Raises:
            UserError: as `predict`, and for an ONNX file, which does not hold these features.
        """
        return self._in_batches(self._torch().over_time, audios, sample_rate, batch_size)

    def _in_batches(
        self,
        forward: Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]],
        audios: Sequence[Sound],
        sample_rate: int | None,
        batch_size: int | None,
    ) -> Prediction:
        prepared = [self._waveform(audio, sample_rate, position) for position, audio in enumerate(audios)] or [
            np.zeros(1, np.float32)
        ]  # no sounds: the shapes are those of silence
        embeddings: list[Any] = [None] * len(prepared)
        scores: list[Any] = [None] * len(prepared)
        for positions, audio_BT in equal_lengths(prepared, batch_size):
            for position, embedding_E, scores_C in zip(positions, *forward(audio_BT), strict=True):
                embeddings[position], scores[position] = embedding_E, scores_C
        return Prediction(np.stack(embeddings)[: len(audios)], np.stack(scores)[: len(audios)])

    def _waveform(self, audio: Sound, sample_rate: int | None, position: int) -> NDArray[np.float32]:
        """One sound as the network takes it."""
        if isinstance(audio, str | Path):
            from xmodal_kedro.inference.files import read_sound  # brings PyAV and OpenCV

            return resampled(read_sound(audio), CLIP_SAMPLE_RATE_HZ, self.sample_rate)
        if sample_rate is None:
            raise UserError(
                f"sound {position} comes without its sample rate: give the samples per second, such as 16000"
            )
        return resampled(checked_waveform(audio, position), checked_rate(sample_rate), self.sample_rate)
