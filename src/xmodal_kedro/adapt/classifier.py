"""The parts of a classifier: its weights, its head, and the card that says what it is and how good."""

from __future__ import annotations

import hashlib
import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from xmodal_kedro.adapt.evaluate import HeldOut, measure, overall
from xmodal_kedro.adapt.linear import LinearHead
from xmodal_kedro.adapt.targets import Targets
from xmodal_kedro.models.card import digest
from xmodal_kedro.models.card_file import FINE_TUNED, NETWORK, TEACHER
from xmodal_kedro.models.classifier import linear
from xmodal_kedro.params import AdaptParams, AudioTeacherCard
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.storage import Folder
from xmodal_kedro.teachers.opening import teacher_files


def head_tensors(head: LinearHead) -> dict[str, Tensor]:
    """A head as it is stored."""
    return linear(torch.from_numpy(head.weight), torch.from_numpy(head.bias))


def describe_classifier(
    targets: Targets, held_out: HeldOut, classes: pd.DataFrame, params: AdaptParams, made_of: Mapping[str, Any]
) -> dict[str, Any]:
    """The card of a classifier. It names no time or place, so that equal work gives equal bytes.

    Args:
        targets: what it learnt from.
        held_out: how it classifies held-out clips.
        classes: `schemas.AdaptClasses`.
        params: `adapt`.
        made_of: `on_network`, `on_teacher` or `fine_tuned`.
    """
    return {
        **made_of,
        "classifier": params.name,
        "classes": list(targets.classes),
        "exclusive": targets.exclusive,
        "temperature": round(held_out.temperature, 6),
        "thresholds": {row["name"]: _or_none(row["threshold"]) for row in classes.to_dict("records")},
        "precision": params.precision,
        "evaluation": {
            "folds": len(np.unique(targets.folds)),
            "clips": targets.counts(),
            measure(targets): overall(held_out, targets),
            "calibration_error": held_out.error_after,
            "average_precision": {
                row["name"]: _or_none(row["average_precision"]) for row in classes.to_dict("records")
            },
        },
        "adapt": params.model_dump(mode="json", exclude={"batch_size", "device", "name"}),
        "data_fingerprint": fingerprint(targets),
        "versions": {
            "recipe": "adapt 1",
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": torch.__version__,
        },
    }


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def fingerprint(targets: Targets) -> str:
    """32 hex digits of the clips and what is known of them."""
    hashed = hashlib.blake2b(repr((targets.clips, targets.classes, targets.exclusive)).encode(), digest_size=16)
    for values in (targets.is_heard, targets.groups, targets.folds):
        hashed.update(np.ascontiguousarray(values).tobytes())
    return hashed.hexdigest()


@dataclass(frozen=True)
class Network:
    """A trained network.

    Attributes:
        card: its card.
        weights: by name.
    """

    card: Mapping[str, Any]
    weights: Mapping[str, Tensor]

    def with_head(self, head: Mapping[str, Tensor]) -> dict[str, Any]:
        """Fields of the card of a classifier on its embedding."""
        shared = ("model", "embedding_size", "weights_digest", "front_end", "clip_s")
        return {
            "representation": NETWORK,
            **{name: self.card[name] for name in shared},
            "head_digest": digest(head),
            "backbone": dict(self.card),
        }

    def trained_further(self, weights: Mapping[str, Tensor]) -> dict[str, Any]:
        """Fields of the card of the network that was trained further to these weights."""
        shared = ("model", "embedding_size", "front_end", "clip_s", "training", "parameter_count")
        return {
            "representation": FINE_TUNED,
            **{name: self.card[name] for name in shared if name in self.card},
            "weights_digest": digest(weights),
            "begun_from": self.card["weights_digest"],
        }


@dataclass(frozen=True)
class TeacherOf:
    """A teacher that gives an embedding.

    Attributes:
        card: of the teacher.
        folder: with its files.
    """

    card: AudioTeacherCard
    folder: Folder

    def files(self) -> dict[str, Any]:
        """The content of its files by name, read when they are saved."""
        found = teacher_files(self.card, self.folder)
        used = [*found.weights, *([found.class_list] if found.class_list else [])]
        return {file.name: file.read_bytes() for file in used}

    def with_head(self, head: Mapping[str, Tensor]) -> dict[str, Any]:
        """Fields of the card of a classifier on its embedding."""
        found = teacher_files(self.card, self.folder)
        used = [*found.weights, *([found.class_list] if found.class_list else [])]
        return {
            "representation": TEACHER,
            "model": "teacher",
            "embedding_size": head["weight"].shape[1],
            "front_end": {"sample_rate_hz": CLIP_SAMPLE_RATE_HZ},
            "head_digest": digest(head),
            "weights_digest": digest(head),
            "teacher": {
                "card": self.card.model_dump(mode="json") | {"ontology": ""},
                "files": {file.name: file.sha256 for file in used},
            },
        }
