"""What a classifier is made of: all that it may be made of is evaluated, and one is chosen."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from xmodal_kedro.adapt.calibration import clips_needed
from xmodal_kedro.adapt.classifier import Network, TeacherOf, describe_classifier, head_tensors
from xmodal_kedro.adapt.curve import learning_curve
from xmodal_kedro.adapt.evaluate import (
    HeldOut,
    choose_representation,
    classes_table,
    evaluate,
    measure,
    overall,
    predictions_table,
    results_table,
)
from xmodal_kedro.adapt.fine_tuned import held_out_logits, trained_weights
from xmodal_kedro.adapt.linear import fit_head
from xmodal_kedro.adapt.targets import Targets
from xmodal_kedro.evaluation.embeddings import collect_embeddings, representations_of
from xmodal_kedro.models.card_file import FINE_TUNED, NETWORK
from xmodal_kedro.params import AdaptParams
from xmodal_kedro.storage import Shards
from xmodal_kedro.wording import counted

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """What a classifier is made of.

    Attributes:
        representation: name of it.
        targets: of the clips.
        held_out: how it classifies held-out clips.
        vectors: embeddings of the clips, which its head is fitted on; without columns for a fine-tuned network.
        classes: `schemas.AdaptClasses`.
    """

    representation: str
    targets: Targets
    held_out: HeldOut
    vectors: NDArray[np.float64]
    classes: pd.DataFrame


def evaluate_all(
    targets: Targets, embeddings: Shards, trainings: Shards, params: AdaptParams
) -> tuple[Choice, pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, float]]:
    """Classify each clip by what the other folds teach, with each representation, and choose one.

    Returns:
        The choice; `schemas.AdaptResults`, `AdaptPredictions`, `AdaptClasses` and `AdaptCurve`; and metrics by name.
    """
    vectors = {name: collect_clips(embeddings, name, targets) for name in representations_of(embeddings)}
    evaluated = evaluate(vectors, targets, params)
    if trainings:
        evaluated[FINE_TUNED] = HeldOut.of(held_out_logits(trainings, targets), targets)
    used = choose_representation(evaluated, targets, params)
    held_out = evaluated[used]
    classes = classes_table(held_out, targets, params)
    curve = learning_curve(vectors[NETWORK if used == FINE_TUNED else used], targets, params)
    values = {name: overall(each, targets) for name, each in evaluated.items()}
    logger.info(
        "adapt: %s of %s; %s of held-out clips: %s; used: %s",
        *(counted(len(targets.clips), "clip"), counted(len(targets.classes), "class", "classes")),
        measure(targets).replace("_", " "),
        ", ".join(f"{name} {value:.3f}" for name, value in values.items()),
        used,
    )
    logger.info(
        "adapt: %d of %s a threshold that keeps a precision of %g; it takes %d clips of a class, all of them right",
        *(classes["threshold"].notna().sum(), counted(len(classes), "class has", "classes have")),
        *(params.precision, clips_needed(params.precision, params.confidence)),
    )
    chosen = Choice(used, targets, held_out, vectors.get(used, np.zeros((len(targets.clips), 0))), classes)
    metrics = {f"adapt.{name}.{measure(targets)}": value for name, value in values.items()}
    metrics |= {
        "adapt.calibration_error": held_out.error_after,
        "adapt.calibration_error_before": held_out.error_before,
        "adapt.classes_with_threshold": float(classes["threshold"].notna().sum()),
    }
    return (
        chosen,
        results_table(evaluated, targets, used),
        predictions_table(held_out, targets),
        classes,
        curve,
        metrics,
    )


def collect_clips(embeddings: Shards, representation: str, targets: Targets) -> NDArray[np.float64]:
    """Embeddings of the clips of `targets`, in their order [clips, size]."""
    stored = [
        file
        for key, load in embeddings.items()
        if key.rpartition("-")[0] == representation
        for file in load(columns=["file"])["file"].to_pylist()
    ]
    place = {file: at for at, file in enumerate(stored)}
    vectors_NE: NDArray[np.float64] = collect_embeddings(embeddings, representation, stored).embeddings
    return vectors_NE[[place[clip] for clip in targets.clips]]


def make_parts(
    choice: Choice, trainings: Shards, network: Network, teacher: TeacherOf, params: AdaptParams
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    """Weights, head, files of the teacher and card of the classifier; what it has no need of is empty."""
    weights: dict[str, Tensor] = {}
    head: dict[str, Tensor] = {}
    files: dict[str, Any] = {}
    if choice.representation == FINE_TUNED:
        weights = trained_weights(trainings)
        made_of = network.trained_further(weights)
    else:
        head = head_tensors(fit_head(choice.vectors, choice.targets, params))
        if choice.representation == NETWORK:
            weights = dict(network.weights)
            made_of = network.with_head(head)
        else:
            files = teacher.files()
            made_of = teacher.with_head(head)
    card = describe_classifier(choice.targets, choice.held_out, choice.classes, params, made_of)
    return weights, head, files, card
