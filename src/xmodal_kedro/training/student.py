"""A network in training, with the layers that it needs for training alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from xmodal_kedro.data.teacher_embeddings import Statistics
from xmodal_kedro.models.backbone import Backbone
from xmodal_kedro.params.training import Modality


@dataclass(frozen=True)
class Heads:
    """What is learnt beside the labels.

    Attributes:
        audio_embedding: size of the audio teacher's embedding; 0 where it is not learnt.
        teacher_scores: classes of the audio teacher in the loop; 0 where its scores are not learnt.
        visual_embedding: statistics of the visual teacher's embedding; None where it is not learnt.
    """

    audio_embedding: int = 0
    teacher_scores: int = 0
    visual_embedding: Statistics | None = None


class StudentOutput(NamedTuple):
    """What a student says of a batch.

    Attributes:
        logits_BC: of the labels [batch, classes].
        embeddings: the teachers' embeddings as they are predicted, standardised, by modality [batch, size].
        score_logits_BS: of the teacher's scores [batch, its classes]; None where they are not learnt.
    """

    logits_BC: Tensor
    embeddings: dict[Modality, Tensor]
    score_logits_BS: Tensor | None


class Standardise(nn.Module):
    """Brings each number to mean 0 and variance 1, by statistics that are known before."""

    mean_E: Tensor
    std_E: Tensor

    def __init__(self, statistics: Statistics) -> None:
        super().__init__()
        for name, values_E in statistics._asdict().items():
            self.register_buffer(name, torch.from_numpy(values_E.copy()))

    def forward(self, values_BE: Tensor) -> Tensor:
        return (values_BE - self.mean_E) / self.std_E


class Student(nn.Module):
    """A backbone and, where it learns a teacher's embedding too, a head that predicts it from the backbone's own.

    Hinton et al., "Distilling the knowledge in a neural network" (2015), teach by soft labels; Romero et al., "FitNets"
    (2015), by what a layer holds, through a layer that is thrown away afterwards, as here. Each number of a teacher's
    embedding is brought to mean 0 and variance 1 first: its scale is no measure of its weight. For the audio teacher
    this is done with the statistics of a batch; for the visual teacher with those of the corpus, as few clips of a
    batch may have frames. Where the audio teacher's scores are learnt too, another head predicts their logits.

    Args:
        backbone: what is kept.
        heads: what is learnt beside the labels.
    """

    def __init__(self, backbone: Backbone, heads: Heads = Heads()) -> None:
        super().__init__()
        self.backbone = backbone
        size, scores, visual = heads.audio_embedding, heads.teacher_scores, heads.visual_embedding
        self.teacher_head = nn.Linear(backbone.embedding_size, size) if size else None
        self.standardise = nn.BatchNorm1d(size, affine=False) if size else None
        self.scores_head = nn.Linear(backbone.embedding_size, scores) if scores else None
        self.visual_head = nn.Linear(backbone.embedding_size, len(visual.mean_E)) if visual else None
        self.standardise_visual = Standardise(visual) if visual else None
        self.register_load_state_dict_pre_hook(_rename_head_of_0_1)

    def forward(self, log_mel_BFM: Tensor) -> StudentOutput:
        logits_BC, embedding_BE = self.backbone(log_mel_BFM)
        predicted: dict[Modality, Tensor] = {}
        if self.teacher_head is not None:
            predicted["audio"] = self.teacher_head(embedding_BE)
        if self.visual_head is not None:
            predicted["visual"] = self.visual_head(embedding_BE)
        return StudentOutput(logits_BC, predicted, None if self.scores_head is None else self.scores_head(embedding_BE))

    def standardised(self, modality: Modality, values_BE: Tensor) -> Tensor:
        """A teacher's embeddings [batch, size] as they are to be predicted."""
        standardise = self.standardise if modality == "audio" else self.standardise_visual
        assert standardise is not None  # it comes with the head
        standardised_BE: Tensor = standardise(values_BE)
        return standardised_BE


def _rename_head_of_0_1(_module: nn.Module, weights: dict[str, Any], prefix: str, *_: Any) -> None:
    """Take the head from a checkpoint of version 0.1, where it has another name."""
    for name in [name for name in weights if name.startswith(f"{prefix}tell.")]:
        weights[f"{prefix}teacher_head.{name.rpartition('.')[2]}"] = weights.pop(name)
