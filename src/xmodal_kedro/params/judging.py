"""Parameters of `transfer_eval` and `compare`: how networks and labels are evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from .base import Params
from .choices import BENCHMARKS


class FineTuneParams(Params):
    """`transfer_eval.fine_tune`: how the whole network is trained on a benchmark, if `protocols` lists `fine_tune`."""

    epochs: int = Field(30, ge=1)
    """Passes over the training clips. The weights of the best epoch are tested. Accuracy on held-out training clips
    decides which epoch is best."""
    batch_size: int = Field(32, ge=2)
    """Clips per step."""
    learning_rate: float = Field(3e-4, gt=0)
    """Max learning rate of a pretrained network."""
    scratch_learning_rate: float = Field(1e-3, gt=0)
    """Max learning rate of a network that starts with random weights, which needs a higher one."""
    weight_decay: float = Field(1e-4, ge=0)
    """Decoupled weight decay of matrices and kernels."""
    mixup_alpha: float = Field(0.3, ge=0)
    """Beta-distribution parameter of mixup; 0 turns it off."""
    held_out: float = Field(0.2, gt=0, lt=1)
    """Fraction of the training clips, in whole groups, that is held out to choose the best epoch."""


if TYPE_CHECKING:
    BenchmarkName = str
else:
    BenchmarkName = Literal[tuple(BENCHMARKS)]
Protocol = Literal["linear_probe", "fine_tune", "zero_shot"]


class TransferParams(Params):
    """`parameters/transfer_eval.yml`"""

    benchmark: BenchmarkName = "esc50"
    """Which benchmark the folder holds; docs/benchmarks.md describes their layouts. `esc10` is the ten-class subset of
    ESC-50, `csv` a benchmark of your own clips."""
    protocols: tuple[Protocol, ...] = Field(("linear_probe", "zero_shot"), min_length=1)
    """How the network is evaluated. `linear_probe`: a linear model is fitted on its frozen embeddings. `fine_tune`: the
    whole network is trained further. `zero_shot`: its own classes stand for those of the benchmark with equal names."""
    regularisation: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (0.001, 0.01, 0.1, 1.0, 10.0, 100.0), min_length=1
    )
    """Inverse regularisation strengths C of the logistic regression. One is chosen, on the training clips alone. The
    report says where it is the smallest or the largest of them."""
    fine_tune: FineTuneParams = FineTuneParams()
    """How the whole network is trained."""
    batch_size: int = Field(32, ge=1)
    """Clips embedded together."""
    random_seed: int = Field(0, ge=0)
    """Seed of fine-tuning and of the randomly initialised network that serves as the baseline."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` uses CUDA if it is available."""


class CompareParams(Params):
    """`parameters/compare.yml`: which rules of merging are compared.

    All other parameters are those of `train`, `merge_labels` and `transfer_eval`.
    """

    rules: tuple[Literal["visual_only", "audio_only", "union", "agreement"], ...] = Field(
        ("visual_only", "audio_only", "union", "agreement"), min_length=2
    )
    """Rules of merging to compare; they replace `merge_labels.rule`."""
    seeds: int = Field(3, ge=1)
    """Networks to train for each rule, with the seeds 0, 1, and so on, which replace `train.seed`."""
