"""What chance changes in a batch: its sounds, and its targets with them."""

from __future__ import annotations

import torch
from torch import Tensor

from xmodal_kedro.data.batch import Batch
from xmodal_kedro.data.teacher_embeddings import EmbeddingTargets
from xmodal_kedro.features.augment import Augmentation, Draws, change_levels, draw, mixup
from xmodal_kedro.features.framing import frames_of_samples
from xmodal_kedro.features.log_mel import MEL_BANDS
from xmodal_kedro.features.speed import change_speed
from xmodal_kedro.pcm import INT16_FULL_SCALE


def waveforms(audio_BT: Tensor) -> Tensor:
    """float32 in [-1, 1), made on the device: half as many bytes are copied there."""
    return audio_BT.float() / INT16_FULL_SCALE


def drawn_for(batch: Batch, augmentation: Augmentation, place: tuple[int, int]) -> Draws:
    """The draws for a batch, by the training's seed and the step's number."""
    return draw(batch.parts, frames_of_samples(batch.audio.shape[1]), MEL_BANDS, augmentation, place)


def augmented(audio_BT: Tensor, augmentation: Augmentation, draws: Draws) -> Tensor:
    """Sounds [batch, samples] at other speeds and levels, with noise and other clips of the batch, as `augmentation`
    says."""
    if augmentation.speed_octaves > 0:
        audio_BT = change_speed(audio_BT, draws.speed_B1)
    if augmentation.of_levels:
        audio_BT = change_levels(audio_BT, draws)
    return mixup(audio_BT, draws) if augmentation.mixup_alpha > 0 else audio_BT


def mixed(targets: EmbeddingTargets, draws: Draws) -> EmbeddingTargets:
    """Embeddings as the sounds are mixed. Where one of two clips has none, the target is the other's, with the share of
    its sound."""
    shares_B1 = mixup(targets.shares_B1, draws)
    values_BE = mixup(targets.values_BE * targets.shares_B1, draws)
    return EmbeddingTargets(values_BE / torch.where(shares_B1 > 0, shares_B1, 1), shares_B1)


def softened(scores_BS: Tensor, temperature: float) -> Tensor:
    """Scores in 0..1 whose logits are divided by a temperature: Hinton et al. (2015), here for each class by itself."""
    return scores_BS if temperature == 1 else torch.sigmoid(torch.logit(scores_BS, eps=1e-6) / temperature)
