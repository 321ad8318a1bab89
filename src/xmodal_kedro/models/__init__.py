"""The networks, by the name that `train.model` gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import VGGishPlusParams
from xmodal_kedro.params.choices import BACKBONES, chosen

if TYPE_CHECKING:
    from xmodal_kedro.models.backbone import Backbone

OPTIONS = VGGishPlusParams()

__all__ = ["BACKBONES", "build"]


def build(name: str, classes: int, vggish_plus: VGGishPlusParams = OPTIONS) -> Backbone:
    """A backbone with random weights, drawn from torch's global generator.

    Args:
        name: a key of `params.choices.BACKBONES`.
        classes: number of logits.
        vggish_plus: options of the network of that name; others take no notice.

    Raises:
        UserError: for a name that is no backbone's.
    """
    if name not in BACKBONES:
        raise UserError(f"train.model ({name!r}) is no known network: set it to one of {', '.join(BACKBONES)}")
    options = (vggish_plus,) if name == "vggish_plus" else ()
    backbone: Backbone = chosen(BACKBONES, name)(classes, *options)
    return backbone
