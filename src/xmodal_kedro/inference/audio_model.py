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
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from xmodal_kedro.errors import UserError
from xmodal_kedro.features.log_mel import LogMel
from xmodal_kedro.inference.batching import equal_lengths
from xmodal_kedro.inference.files import read_sound
from xmodal_kedro.inference.onnx_network import ONNX_NAME, OnnxNetwork
from xmodal_kedro.inference.waveforms import checked_rate, checked_waveform, resampled
from xmodal_kedro.masking import masked, masked_value, remember
from xmodal_kedro.models.backbone import Backbone
from xmodal_kedro.models.classifier import TEACHER
from xmodal_kedro.models.device import choose_device
from xmodal_kedro.models.files import CARD_NAME, WEIGHTS_NAME, read_card, read_model
from xmodal_kedro.models.waveform_network import WaveformNetwork, mean_and_max
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from xmodal_kedro.inference.similar import Match
    from xmodal_kedro.inference.teacher_network import TeacherNetwork

logger = logging.getLogger(__name__)

Sound: TypeAlias = ArrayLike | str | Path
"""Samples, or the address of a file."""
BATCH_SIZE = 32
"""Max sounds of one forward pass, where the caller does not say."""
MLFLOW_URI = re.compile(r"(models|runs|mlflow-artifacts):/", re.ASCII)
"""How an MLflow URI begins."""
"""In a URI."""


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
        network: on `device`, in evaluation mode.
        card: as `models.card.make_card` makes it, at least its classes and the sample rate of the front end.
        device: where the network runs.
    """

    def __init__(
        self, network: WaveformNetwork | OnnxNetwork | TeacherNetwork, card: Mapping[str, Any], device: torch.device
    ) -> None:
        self.network, self.card, self.device = network, card, device

    @classmethod
    def of(
        cls, backbone: Backbone, card: Mapping[str, Any], device: torch.device, head: nn.Linear | None = None
    ) -> Self:
        """From a backbone, and the head of a classifier on it, in evaluation mode; both are moved to the device."""
        log_mel = LogMel(card["front_end"]["log_offset"])
        exclusive, temperature = card.get("exclusive", False), card.get("temperature", 1.0)
        return cls(WaveformNetwork(backbone, log_mel, exclusive, head, temperature).to(device), card, device)

    @classmethod
    def load(cls, source: str | Path, device: Literal["auto", "cpu", "cuda"] = "auto") -> Self:
        """Load a trained network.

        Args:
            source: the folder under `06_models` of a network, or of a classifier of the pipeline `adapt`; its weights
                with `card.json` beside them; a `model.onnx`, or a folder that holds nothing else; or an MLflow URI:
                `models:/NAME@ALIAS` or `models:/NAME/VERSION` of its registry, or the tag `model.uri` of a run.
            device: `auto` takes CUDA where there is one.

        Raises:
            FileNotFoundError: naming the file that is not there.
            UserError: for files that are broken or do not belong together, for a model that MLflow does not have, and
                where CUDA is wanted and absent.
        """
        path = _downloaded(str(source)) if MLFLOW_URI.match(str(source)) else Path(source)
        if path.suffix == ".onnx":
            return cls._of_onnx(path, device)
        folder = path if path.is_dir() else path.parent
        if (folder / CARD_NAME).is_file() and (card := read_card(folder / CARD_NAME)).get("representation") == TEACHER:
            from xmodal_kedro.inference.teacher_network import TeacherNetwork  # brings onnxruntime and OpenCV

            # A model.onnx beside it is of an earlier classifier on the network.
            return cls(TeacherNetwork(folder, card, device), card, torch.device("cpu"))  # as of an ONNX file
        if (path / ONNX_NAME).is_file() and not (path / WEIGHTS_NAME).is_file():
            return cls._of_onnx(path / ONNX_NAME, device)
        stored = read_model(path / WEIGHTS_NAME if path.is_dir() else path, folder / CARD_NAME)
        return cls.of(stored.backbone, stored.card, choose_device(device, "device"), stored.head)

    @classmethod
    def _of_onnx(cls, file: Path, device: Literal["auto", "cpu", "cuda"]) -> Self:
        onnx = OnnxNetwork(file, device)
        return cls(onnx, onnx.card, torch.device("cpu"))  # where onnxruntime takes its input from

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
    def fingerprint(self) -> str:
        """Of the weights and the front end; not of an ONNX file."""
        if not isinstance(self.network, WaveformNetwork | OnnxNetwork):
            return self.network.fingerprint
        return f"{self.torch_network.weights_digest()} {self.card['front_end']['log_offset']}"

    @property
    def torch_network(self) -> WaveformNetwork:
        """The network with all that it computes.

        Raises:
            UserError: for an ONNX file, which holds embeddings and scores alone.
        """
        if not isinstance(self.network, WaveformNetwork):
            raise UserError(
                f"{self.network.source} gives embeddings and scores, not features over time: load a folder that holds "
                f"{WEIGHTS_NAME} and {CARD_NAME}"
            )
        return self.network

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
        network = self.torch_network

        def forward(audio_BT: Tensor) -> tuple[Tensor, Tensor]:
            features_BSE = network.over_time(audio_BT)
            _, scores_BC = network.conclude(features_BSE)
            return mean_and_max(features_BSE), scores_BC

        return self._in_batches(forward, audios, sample_rate, batch_size)

    def _in_batches(
        self,
        forward: Callable[[Tensor], tuple[Tensor, Tensor]],
        audios: Sequence[Sound],
        sample_rate: int | None,
        batch_size: int | None,
    ) -> Prediction:
        prepared = [self._waveform(audio, sample_rate, position) for position, audio in enumerate(audios)] or [
            np.zeros(1, np.float32)
        ]  # no sounds: the shapes are those of silence
        embeddings: list[Any] = [None] * len(prepared)
        scores: list[Any] = [None] * len(prepared)
        with torch.inference_mode():
            for positions, audio_BT in equal_lengths(prepared, batch_size):
                results = (values.cpu().numpy() for values in forward(audio_BT.to(self.device)))
                for position, embedding_E, scores_C in zip(positions, *results, strict=True):
                    embeddings[position], scores[position] = embedding_E, scores_C
        return Prediction(np.stack(embeddings)[: len(audios)], np.stack(scores)[: len(audios)])

    def _waveform(self, audio: Sound, sample_rate: int | None, position: int) -> NDArray[np.float32]:
        """One sound as the network takes it."""
        if isinstance(audio, str | Path):
            return resampled(read_sound(audio), CLIP_SAMPLE_RATE_HZ, self.sample_rate)
        if sample_rate is None:
            raise UserError(
                f"sound {position} comes without its sample rate: give the samples per second, such as 16000"
            )
        return resampled(checked_waveform(audio, position), checked_rate(sample_rate), self.sample_rate)


def _downloaded(uri: str) -> Path:
    """The folder with weights and card of a model that MLflow keeps.

    Raises:
        UserError: naming the model and the store, if MLflow has no such model or cannot give it.
    """
    import mlflow

    try:
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri)) / "artifacts"
    except (mlflow.exceptions.MlflowException, OSError) as error:
        remember(uri)
        remember(mlflow.get_tracking_uri())
        store, reason = masked_value(mlflow.get_tracking_uri()), masked(" ".join(str(error).split()))
        raise UserError(
            f"{masked_value(uri)} is no model that the MLflow store {store} can give ({reason}): name one of its "
            "models, or name the store that has it, with mlflow.set_tracking_uri or MLFLOW_TRACKING_URI"
        ) from error
