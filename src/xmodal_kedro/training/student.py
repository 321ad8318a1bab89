"""A network that learns, with what it needs for learning alone."""

from __future__ import annotations

from torch import Tensor, nn

from xmodal_kedro.models import Backbone


class Student(nn.Module):
    """A backbone and, where it learns the teacher's embedding too, a layer that tells it from its own.

    Hinton et al., "Distilling the knowledge in a neural network" (2015), teach by soft labels; Romero et al., "FitNets"
    (2015), by what a layer holds, through a layer that is thrown away afterwards, as here. Each number of the teacher's
    embedding is brought to mean 0 and variance 1 first, by the statistics of a batch: its scale is no measure of what
    it tells.

    Args:
        backbone: what is kept.
        embedding_size: of the teacher's embedding; 0 where it is not learnt.
    """

    def __init__(self, backbone: Backbone, embedding_size: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.tell = nn.Linear(backbone.embedding_size, embedding_size) if embedding_size else None
        self.standardise = nn.BatchNorm1d(embedding_size, affine=False) if embedding_size else None

    def forward(self, log_mel_BFM: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits [batch, classes], and the teacher's embedding as it is told [batch, size], standardised."""
        logits_BC, embedding_BE = self.backbone(log_mel_BFM)
        return logits_BC, None if self.tell is None else self.tell(embedding_BE)
