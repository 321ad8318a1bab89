"""Parameters of `transfer_eval` and `compare`: how networks and labels are judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from .base import Params
from .choices import BENCHMARKS


class FineTuneParams(Params):
    """`transfer_eval.fine_tune`: how the whole network is trained on a benchmark, where that protocol is asked for."""

    epochs: int = Field(30, ge=1)
    """Times that each training clip is seen. The weights of the best epoch are tested, by accuracy on training clips
    that are held out to choose it."""
    batch_size: int = Field(32, ge=2)
    """Clips of a step."""
    learning_rate: float = Field(3e-4, gt=0)
    """Highest learning rate of a pretrained network..."""
    scratch_learning_rate: float = Field(1e-3, gt=0)
    """...and of one that begins with random weights, which has further to go."""
    weight_decay: float = Field(1e-4, ge=0)
    """Decoupled weight decay of matrices and kernels."""
    mixup_alpha: float = Field(0.3, ge=0)
    """Beta-distribution parameter of mixup; 0 turns it off."""
    held_out: float = Field(0.2, gt=0, lt=1)
    """Share of the training clips, in whole groups, that the best epoch is chosen on."""


if TYPE_CHECKING:
    BenchmarkName = str
else:
    BenchmarkName = Literal[tuple(BENCHMARKS)]
Protocol = Literal["linear_probe", "fine_tune", "zero_shot"]


class TransferParams(Params):
    """`parameters/transfer_eval.yml`"""

    benchmark: BenchmarkName = "esc50"
    """Which benchmark the folder holds; docs/benchmarks.md tells their layouts. `esc10` takes ESC-50's ten-class
    subset, `csv` sounds of your own."""
    protocols: tuple[Protocol, ...] = Field(("linear_probe", "zero_shot"), min_length=1)
    """How the network is judged. `linear_probe`: a linear model on its frozen embeddings; `fine_tune`: all of it is
    trained on; `zero_shot`: its own classes are taken for the benchmark's, where their names meet."""
    regularisation: tuple[Annotated[float, Field(gt=0)], ...] = Field((0.001, 0.01, 0.1, 1.0), min_length=1)
    """Inverse strengths C of the logistic regression to choose from, on the training clips alone."""
    fine_tune: FineTuneParams = FineTuneParams()
    """How the whole network is trained."""
    batch_size: int = Field(32, ge=1)
    """Sounds embedded together."""
    random_seed: int = Field(0, ge=0)
    """Seed of the randomly initialised network of comparison, and of fine-tuning."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` takes CUDA where there is one."""


class CompareParams(Params):
    """`parameters/compare.yml`: which labels to learn from.

    All else is as `train`, `merge_labels` and `transfer_eval` say.
    """

    rules: tuple[Literal["visual_only", "audio_only", "union", "agreement"], ...] = Field(
        ("visual_only", "audio_only", "union", "agreement"), min_length=2
    )
    """Rules of merging to compare, in place of `merge_labels.rule`."""
    seeds: int = Field(3, ge=1)
    """Networks that are trained for each rule, from as many seeds: 0, 1, and so on, in place of `train.seed`."""
