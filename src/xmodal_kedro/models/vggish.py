"""VGGish as released with AudioSet: Hershey et al., "CNN architectures for large-scale audio classification", 2017."""

from __future__ import annotations

from torch import Tensor, nn

from xmodal_kedro.features.framing import PATCH_FRAMES
from xmodal_kedro.features.log_mel import MEL_BANDS, frame_patches
from xmodal_kedro.models.backbone import Backbone, expect_few


def conv(inputs: int, outputs: int) -> list[nn.Module]:
    """A 3 x 3 convolution and its activation."""
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True)]


class VGGish(Backbone):
    """VGG configuration A on 0.96 s patches; a longer sound is the mean of its patches' embeddings.

    The 72,141,184 weights up to the embedding are laid out as in the released model (`vggish_slim.py`), whose
    embedding is likewise taken before its activation.
    """

    embedding_size = 128

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *conv(1, 64),
            nn.MaxPool2d(2),
            *conv(64, 128),
            nn.MaxPool2d(2),
            *conv(128, 256),
            *conv(256, 256),
            nn.MaxPool2d(2),
            *conv(256, 512),
            *conv(512, 512),
            nn.MaxPool2d(2),
        )
        self.embed = nn.Sequential(
            nn.Linear(512 * (PATCH_FRAMES // 16) * (MEL_BANDS // 16), 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, self.embedding_size),
        )
        self.classify = nn.Linear(self.embedding_size, classes)
        self.apply(initialise)
        nn.init.normal_(self.classify.weight, std=0.01)
        expect_few(self.classify)

    def over_time(self, log_mel_BFM: Tensor) -> Tensor:
        patches_BPFM = frame_patches(log_mel_BFM, PATCH_FRAMES, PATCH_FRAMES)
        features_NCFM = self.features(patches_BPFM.flatten(0, 1).unsqueeze(1))
        flat_NE = features_NCFM.permute(0, 2, 3, 1).flatten(1)
        return self.embed(flat_NE).reshape(log_mel_BFM.shape[0], -1, self.embedding_size)

    def conclude(self, parts_BSE: Tensor) -> tuple[Tensor, Tensor]:
        embedding_BE = parts_BSE.mean(1)
        return self.classify(embedding_BE.relu()), embedding_BE


def initialise(module: nn.Module) -> None:
    """Draw first weights after He et al., "Delving deep into rectifiers" (2015): `model.apply(initialise)`.

    Nine layers without batch norm: torch's default would shrink the signal some hundredfold on its way through.
    """
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
