"""Classes in words: how similar a clip is to their prompts, and what such a similarity means.

A class is scored by its log odds against all other prompts: those of the other classes, and background prompts, which
describe what any clip may hold. Log odds of different classes do not compare: one prompt is near to everything, another
to nothing. So they are standardised on the corpus itself. Median and lower half of a class's log odds describe the
clips without it, as long as far fewer than half of all clips have it; what lies far above is the class.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp, softmax
from scipy.stats import norm

from xmodal_kedro.params import TeacherCard, VisualTeacherCard
from xmodal_kedro.params.teachers import PromptedClass

BACKGROUND_OF_FRAMES = (
    "a photo",
    "a photo of a person",
    "a photo of people",
    "a photo of a room",
    "a photo of a street",
    "a photo of a landscape",
    "a photo of a building",
    "a photo of an animal",
    "a photo of an object",
    "a photo of a vehicle",
    "a dark, empty picture",
    "text on a screen",
)
BACKGROUND_OF_AUDIO = (
    "a sound",
    "background noise",
    "silence",
    "a person speaking",
    "a crowd of people",
    "music playing",
    "wind blowing",
    "the hum of a machine",
    "traffic on a street",
    "an animal calling",
    "something being hit",
    "water running",
)
LOWER_QUANTILE = float(norm.cdf(-1))
"""Share of a normal distribution that is more than one standard deviation below its mean."""
HALF_AT_STD = 3.0
"""Standard deviations above the background at which a calibrated score is 0.5; a clip in 740 is there by chance."""
LOGITS_PER_STD = 2.0
MIN_STD = 1e-6


def background_prompts(card: TeacherCard) -> tuple[str, ...]:
    """Prompts for what is none of the classes, for a card that names none. Those that a class has are left out."""
    prompts = BACKGROUND_OF_FRAMES if isinstance(card, VisualTeacherCard) else BACKGROUND_OF_AUDIO
    owned = {prompt.casefold() for of in card.classes for prompt in of.prompts}
    return tuple(prompt for prompt in prompts if prompt not in owned)


@dataclass(frozen=True)
class Prompts:
    """Embedded prompts of one model.

    Attributes:
        labels: names of the classes.
        class_CE: embedding of each class: the mean of its prompts' embeddings, of unit length [classes, size].
        background_PE: embeddings of the background prompts, of unit length [prompts, size].
        scale: what the model multiplies cosine similarities by, exp(logit_scale).
    """

    labels: tuple[str, ...]
    class_CE: NDArray[np.float32]
    background_PE: NDArray[np.float32]
    scale: float

    @classmethod
    def of(
        cls,
        classes: Sequence[PromptedClass],
        background: Sequence[str],
        embed_text: Callable[[Sequence[str]], NDArray[np.float32]],
        scale: float,
    ) -> Prompts:
        """Embed each class and the background with a text model."""
        means = [embed_text(of.prompts).astype(np.float64).mean(0) for of in classes]
        class_CE = np.stack([mean / max(float(np.linalg.norm(mean)), 1e-12) for mean in means]).astype(np.float32)
        return cls(tuple(of.name for of in classes), class_CE, embed_text(background), scale)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all attributes."""
        digest = hashlib.sha256(repr((self.labels, self.scale)).encode())
        digest.update(self.class_CE.tobytes())
        digest.update(self.background_PE.tobytes())
        return digest.hexdigest()

    def log_odds(self, embedding_NE: NDArray[np.floating]) -> NDArray[np.float64]:
        """Log odds [N, classes] of each class against all other prompts: those of other classes, and the background.

        Args:
            embedding_NE: of frames or audio, of unit length [N, size].
        """
        logits_NK = self._logits(embedding_NE)
        rows = np.arange(len(logits_NK))
        best_N = logits_NK.argmax(1)
        log_probability_NK = logits_NK - logsumexp(logits_NK, axis=1, keepdims=True)
        # log(p / (1 - p)) is exact where p is small; of the best prompt, 1 - p is what all others have.
        others_NK = logits_NK.copy()
        others_NK[rows, best_N] = -np.inf
        with np.errstate(divide="ignore"):
            log_odds_NK = log_probability_NK - np.log1p(-np.exp(log_probability_NK))
        log_odds_NK[rows, best_N] = logits_NK[rows, best_N] - logsumexp(others_NK, axis=1)
        return log_odds_NK[:, : len(self.labels)]

    def probabilities(self, embedding_NE: NDArray[np.floating]) -> NDArray[np.float32]:
        """Probability [N, classes] of each class among all classes and background prompts: their softmax."""
        return softmax(self._logits(embedding_NE), axis=1)[:, : len(self.labels)].astype(np.float32)

    def _logits(self, embedding_NE: NDArray[np.floating]) -> NDArray[np.float64]:
        """Scaled similarities [N, classes + prompts]."""
        prompts_KE = np.concatenate([self.class_CE, self.background_PE]).astype(np.float64)
        return self.scale * embedding_NE.astype(np.float64) @ prompts_KE.T


@dataclass(frozen=True)
class Calibration:
    """What log odds of each class a corpus has where the class is absent.

    Attributes:
        center_C: median [classes].
        std_C: standard deviation [classes], from the lower half, which clips with the class hardly reach.
    """

    center_C: NDArray[np.float64]
    std_C: NDArray[np.float64]

    @classmethod
    def of(cls, log_odds_NC: NDArray[np.float64]) -> Calibration:
        """From the log odds of the clips of a corpus, in any order."""
        center_C, lower_C = np.quantile(log_odds_NC, [0.5, LOWER_QUANTILE], axis=0)
        return cls(center_C, np.maximum(center_C - lower_C, MIN_STD))

    @cached_property
    def fingerprint(self) -> str:
        """Digest of both attributes."""
        return hashlib.sha256(self.center_C.tobytes() + self.std_C.tobytes()).hexdigest()

    def scores(self, log_odds_NC: NDArray[np.float64]) -> NDArray[np.float32]:
        """Scores [N, classes] in 0..1: a logistic function of the standard deviations above the center.

        A score of 0.12 is two standard deviations, 0.5 is three, 0.88 is four.
        """
        above_NC = (log_odds_NC - self.center_C) / self.std_C
        return expit(LOGITS_PER_STD * (above_NC - HALF_AT_STD)).astype(np.float32)
