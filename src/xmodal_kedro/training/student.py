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
    weight. Where the teacher's scores are learnt too, another head predicts their logits.

    Args:
        backbone: what is kept.
        embedding_size: of the teacher's embedding; 0 where it is not learnt.
        teacher_classes: of which the teacher's scores are learnt; 0 where they are not.
    """

    def __init__(self, backbone: Backbone, embedding_size: int, teacher_classes: int = 0) -> None:
        super().__init__()
        self.backbone = backbone
        self.teacher_head = nn.Linear(backbone.embedding_size, embedding_size) if embedding_size else None
        self.standardise = nn.BatchNorm1d(embedding_size, affine=False) if embedding_size else None
        self.scores_head = nn.Linear(backbone.embedding_size, teacher_classes) if teacher_classes else None
        self.register_load_state_dict_pre_hook(_rename_head_of_0_1)

    def forward(self, log_mel_BFM: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Logits [batch, classes]; the predicted teacher's embedding [batch, size], standardised; and the logits of its
        scores [batch, its classes]. None for what is not learnt."""
        logits_BC, embedding_BE = self.backbone(log_mel_BFM)
        predicted_BE = None if self.teacher_head is None else self.teacher_head(embedding_BE)
        return logits_BC, predicted_BE, None if self.scores_head is None else self.scores_head(embedding_BE)


def _rename_head_of_0_1(_module: nn.Module, weights: dict[str, Any], prefix: str, *_: Any) -> None:
    """Take the head from a checkpoint of version 0.1, where it has another name."""
    for name in [name for name in weights if name.startswith(f"{prefix}tell.")]:
        weights[f"{prefix}teacher_head.{name.rpartition('.')[2]}"] = weights.pop(name)
