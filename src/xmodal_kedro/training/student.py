"""A network in training, with the layers that it needs for training alone."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from xmodal_kedro.models.backbone import Backbone


class Student(nn.Module):
    """A backbone and, where it learns the teacher's embedding too, a head that predicts it from the backbone's own.

    Hinton et al., "Distilling the knowledge in a neural network" (2015), teach by soft labels; Romero et al., "FitNets"
    (2015), by what a layer holds, through a layer that is thrown away afterwards, as here. Each number of the teacher's
    embedding is brought to mean 0 and variance 1 first, by the statistics of a batch: its scale is no measure of its
    weight.

    Args:
        backbone: what is kept.
        embedding_size: of the teacher's embedding; 0 where it is not learnt.
    """

    def __init__(self, backbone: Backbone, embedding_size: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.teacher_head = nn.Linear(backbone.embedding_size, embedding_size) if embedding_size else None
        self.standardise = nn.BatchNorm1d(embedding_size, affine=False) if embedding_size else None

        self.register_load_state_dict_pre_hook(_rename_head_of_0_1)

    def forward(self, log_mel_BFM: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits [batch, classes], and the predicted teacher's embedding [batch, size], standardised."""
        logits_BC, embedding_BE = self.backbone(log_mel_BFM)
        return logits_BC, None if self.teacher_head is None else self.teacher_head(embedding_BE)


def _rename_head_of_0_1(_module: nn.Module, weights: dict[str, Any], prefix: str, *_: Any) -> None:
    """Take the head from a checkpoint of version 0.1, where it has another name."""
    for name in [name for name in weights if name.startswith(f"{prefix}tell.")]:
        weights[f"{prefix}teacher_head.{name.rpartition('.')[2]}"] = weights.pop(name)
