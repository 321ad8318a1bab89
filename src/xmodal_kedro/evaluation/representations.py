"""What a linear model may see of a sound: a network's embedding, and what that is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from xmodal_kedro.features.log_mel import LogMel
from xmodal_kedro.inference.batching import at_least_a_patch, equal_lengths
from xmodal_kedro.models import Backbone
from xmodal_kedro.models.card import build_network, digest
from xmodal_kedro.params import AudioTeacherCard
from xmodal_kedro.pcm import INT16_FULL_SCALE
from xmodal_kedro.teachers.embeddings import mean_and_maximum
from xmodal_kedro.teachers.onnx_backend import OnnxTeacher
from xmodal_kedro.teachers.protocol import TeacherFiles, open_teacher

PRETRAINED, RANDOM, LOG_MEL, TEACHER = "pretrained", "random", "log_mel", "teacher"
SCRATCH = "scratch"
"""The same network, all of it trained on the benchmark from random weights on."""
REPRESENTATIONS = (PRETRAINED, RANDOM, SCRATCH, LOG_MEL, TEACHER)
"""In the order of tables."""

Sounds = Sequence[NDArray[np.int16]]
"""[samples] each, 16 kHz mono, of any lengths."""


class Represented(NamedTuple):
    """What is known of some sounds.

    Attributes:
        embeddings: float32 [sounds, size].
        scores: of the classes of who listened, 0..1, float32 [sounds, classes]; no classes where nobody scores.
    """

    embeddings: NDArray[np.float32]
    scores: NDArray[np.float32]


class Representation(Protocol):
    """Turns sounds into vectors. Equal fingerprints mean equal vectors."""

    @property
    def fingerprint(self) -> str:
        """Of all that its vectors depend on but the code."""

    def __call__(self, sounds: Sounds) -> Represented:
        """Represent sounds, in order; each alike whatever comes with it."""


def random_network(card: Mapping[str, Any], seed: int) -> Backbone:
    """The network of a model card at random initialisation: the baseline that pretraining has to beat.

    Its batch norms keep their initial statistics (mean 0, variance 1), so they pass activations on as they are: it
    has seen no sound at all, not even to count its levels. Torch's global generator is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_network(card).eval()


class NetworkEmbedding:
    """Mean and maximum over time of what a network's own embedding is pooled from, and its scores.

    A network hears the whole sound at once; shorter than a patch of 0.96 s, it gets silence at the end. Only sounds of
    equal length share a forward pass, since padding would be heard. All in float32, so that a batch's neighbours and
    the device change little.

    Args:
        network: in evaluation mode.
        log_offset: of the front end that it was trained with.
        device: where log-mel and network run.
    """

    def __init__(self, network: Backbone, log_offset: float, device: torch.device) -> None:
        self.fingerprint = f"{digest(network.state_dict())} {log_offset} {device.type}"
        self._device = device
        self._front_end = LogMel(log_offset).to(device)
        self._network = network.to(device)

    def __call__(self, sounds: Sounds) -> Represented:
        embeddings: list[Any] = [None] * len(sounds)
        scores: list[Any] = [None] * len(sounds)
        with torch.inference_mode():
            for positions, audio_BT in equal_lengths(sounds):
                log_mel_BFM = self._front_end(audio_BT.to(self._device).float() / INT16_FULL_SCALE)
                parts_BSE = self._network.over_time(log_mel_BFM)
                logits_BC, _ = self._network.conclude(parts_BSE)
                pooled_BE = torch.cat([parts_BSE.mean(1), parts_BSE.amax(1)], dim=1)
                rows = zip(positions, pooled_BE.cpu().numpy(), logits_BC.sigmoid().cpu().numpy(), strict=True)
                for position, embedding_E, scores_C in rows:
                    embeddings[position], scores[position] = embedding_E, scores_C
        return Represented(np.stack(embeddings), np.stack(scores))


@dataclass(frozen=True)
class LogMelStatistics:
    """Mean, standard deviation and maximum over time of each log-mel band: what is there to be heard without learning.

    Attributes:
        log_offset: of the front end.
    """

    log_offset: float = 0.01

    @property
    def fingerprint(self) -> str:
        return f"log-mel statistics {self.log_offset}"

    def __call__(self, sounds: Sounds) -> Represented:
        front_end = LogMel(self.log_offset)
        rows = []
        for sound in sounds:
            log_mel_FM = front_end(torch.from_numpy(at_least_a_patch(sound)).float()[None] / INT16_FULL_SCALE)[0]
            rows.append(torch.cat([log_mel_FM.mean(0), log_mel_FM.std(0), log_mel_FM.amax(0)]).numpy())
        return Represented(np.stack(rows), np.zeros((len(rows), 0), np.float32))


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
        return f"{weights} {self.card.model_dump_json(exclude={'ignore', 'ontology'})}"

    def __call__(self, sounds: Sounds) -> Represented:
        teacher = open_teacher(self.card, self.files, self.device, torch.get_num_threads())
        assert isinstance(teacher, OnnxTeacher)  # the card says so: no other gives embeddings
        embeddings, scores = [], []
        for sound in sounds:
            embedding_RE, scores_RC = teacher.embed(teacher.rows(sound))
            embeddings.append(mean_and_maximum(embedding_RE))
            scores.append(scores_RC.max(0))
        return Represented(np.stack(embeddings), np.stack(scores))
