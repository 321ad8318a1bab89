"""The networks, by the name that `train.model` gives."""

from __future__ import annotations

from collections.abc import Callable

from xmodal_kedro.errors import UserError
from xmodal_kedro.models.backbone import Backbone
from xmodal_kedro.models.mobilenet_v2 import MobileNetV2
from xmodal_kedro.models.resnet50 import ResNet50
from xmodal_kedro.models.vggish import VGGish
from xmodal_kedro.models.vggish_plus import DEFAULTS, VGGishPlus
from xmodal_kedro.params import VGGishPlusParams

BACKBONES: dict[str, Callable[[int], Backbone]] = {
    "vggish": VGGish,
    "vggish_plus": VGGishPlus,
    "resnet50": ResNet50,
    "mobilenet_v2": MobileNetV2,
}

__all__ = ["BACKBONES", "Backbone", "build"]


def build(name: str, classes: int, vggish_plus: VGGishPlusParams = DEFAULTS) -> Backbone:
    """A backbone with random weights, drawn from torch's global generator.

    Args:
        name: a key of `BACKBONES`.
        classes: number of logits.
        vggish_plus: options of the network of that name; others take no notice.

    Raises:
        UserError: for a name that is no backbone's.
    """
    if name not in BACKBONES:
        raise UserError(f"train.model ({name!r}) is no known network: set it to one of {', '.join(BACKBONES)}")
    if name == "vggish_plus":
        return VGGishPlus(classes, vggish_plus)
    return BACKBONES[name](classes)
