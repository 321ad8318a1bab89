"""What a linear probe is fitted on: a network's embedding, and the representations that it is compared with."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from xmodal_kedro.features.log_mel import LogMel
from xmodal_kedro.inference.audio_model import AudioModel, Prediction
from xmodal_kedro.inference.batching import at_least_a_patch
from xmodal_kedro.inference.waveforms import from_int16
from xmodal_kedro.models.backbone import Backbone
from xmodal_kedro.models.card import build_network
from xmodal_kedro.params import AudioTeacherCard
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.recipes import library_versions
from xmodal_kedro.teachers.embeddings import mean_and_maximum
from xmodal_kedro.teachers.onnx_backend import OnnxTeacher
from xmodal_kedro.teachers.opening import open_teacher
from xmodal_kedro.teachers.protocol import LIBRARIES, TeacherFiles

PRETRAINED, RANDOM, LOG_MEL, TEACHER = "pretrained", "random", "log_mel", "teacher"
SCRATCH = "scratch"
"""The same network, trained on the benchmark alone, from random weights."""
REPRESENTATIONS = (PRETRAINED, RANDOM, SCRATCH, LOG_MEL, TEACHER)
"""In the order of tables."""

_OPENING = threading.Lock()
"""Of jobs that begin at once, the first opens the teacher for all."""

Sounds = Sequence[NDArray[np.int16]]
"""[samples] each, 16 kHz mono, of any lengths."""


class Representation(Protocol):
    """Turns sounds into vectors. Equal fingerprints mean equal vectors."""

    @property
    def fingerprint(self) -> str:
        """Of all that its vectors depend on, except the code."""

    def __call__(self, sounds: Sounds) -> Prediction:
        """Represent sounds, in order; the result for each does not depend on the others. Scores may have no columns."""


def random_network(card: Mapping[str, Any], seed: int) -> Backbone:
    """The network of a model card at random initialisation: the baseline that pretraining has to beat.

    Its batch norms keep their initial statistics (mean 0, variance 1), so they pass activations on as they are: not
    even these are learnt from audio. Torch's global generator is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_network(card).eval()


class NetworkEmbedding:
    """`AudioModel.over_time` and its scores, for stored sounds.

    Args:
        model: a torch network and its card.
    """

    def __init__(self, model: AudioModel) -> None:
        self._model = model
        self.fingerprint = f"{model.fingerprint} {model.device}"

    def __call__(self, sounds: Sounds) -> Prediction:
        return self._model.over_time([from_int16(audio_T) for audio_T in sounds], CLIP_SAMPLE_RATE_HZ, batch_size=None)


@dataclass(frozen=True)
class LogMelStatistics:
    """Mean, standard deviation and maximum over time of each log-mel band: what is known without learning.

    Attributes:
        log_offset: of the front end.
    """

    log_offset: float = 0.01

    @property
    def fingerprint(self) -> str:
        return f"log-mel statistics {self.log_offset}"

    def __call__(self, sounds: Sounds) -> Prediction:
        front_end = LogMel(self.log_offset)
        rows = []
        for audio_T in sounds:
            log_mel_FM = front_end(torch.from_numpy(from_int16(at_least_a_patch(audio_T)))[None])[0]
            rows.append(torch.cat([log_mel_FM.mean(0), log_mel_FM.std(0), log_mel_FM.amax(0)]).numpy())
        return Prediction(np.stack(rows), np.zeros((len(rows), 0), np.float32))


@dataclass(frozen=True)
class TeacherEmbedding:
    """Mean and maximum over its windows of the audio teacher's own embedding; its scores are the maxima.

    Attributes:
        card: of an ONNX model that gives an embedding.
        files: the teacher's.
        device: where it runs.
    """

    card: AudioTeacherCard
    files: TeacherFiles
    device: Literal["auto", "cpu", "cuda"]

    @property
    def fingerprint(self) -> str:
        weights = " ".join(file.fingerprint for file in self.files.weights)
        card = {name: value for name, value in self.card.identity().items() if name not in ("ignore", "ontology")}
        return f"{weights} {json.dumps([card, library_versions(LIBRARIES[self.card.backend])], sort_keys=True)}"

    @property
    def legacy_fingerprint(self) -> str:
        """The same, as version 0.1 computed it."""
        weights = " ".join(file.fingerprint for file in self.files.weights)
        return f"{weights} {self.card.model_dump_json(exclude={'ignore', 'ontology'})}"

    def __call__(self, sounds: Sounds) -> Prediction:
        with _OPENING:
            teacher = open_teacher(self.card, self.files, self.device, torch.get_num_threads())
        assert isinstance(teacher, OnnxTeacher)  # the card says so: no other gives embeddings
        embeddings, scores = [], []
        for sound in sounds:
            embedding_RE, scores_RC = teacher.embed(teacher.rows(sound))
            embeddings.append(mean_and_maximum(embedding_RE))
            scores.append(scores_RC.max(0))
        return Prediction(np.stack(embeddings), np.stack(scores))
