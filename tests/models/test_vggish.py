from __future__ import annotations

import pytest
import torch
from torch import nn

from xmodal_kedro.models import build

PUBLISHED = [
    ("convolution", 1, 64),
    ("halving",),
    ("convolution", 64, 128),
    ("halving",),
    ("convolution", 128, 256),
    ("convolution", 256, 256),
    ("halving",),
    ("convolution", 256, 512),
    ("convolution", 512, 512),
    ("halving",),
    ("dense", 6 * 4 * 512, 4096),
    ("dense", 4096, 4096),
    ("dense without activation", 4096, 128),
]
"""`vggish_slim.py` of the release: convolutions are 3 x 3 of stride 1; all layers but the last have a ReLU."""


def layers_of(*parts: nn.Sequential) -> list[tuple]:
    """Layers in the words of `PUBLISHED`, what is not published as itself."""
    layers = [layer for part in parts for layer in part]
    found: list[tuple] = []
    for layer, after in zip(layers, [*layers[1:], None], strict=True):
        match layer:
            case nn.Conv2d(kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), dilation=(1, 1), groups=1):
                assert isinstance(after, nn.ReLU) and layer.bias is not None
                found.append(("convolution", layer.in_channels, layer.out_channels))
            case nn.MaxPool2d(kernel_size=2, stride=2, padding=0):
                found.append(("halving",))
            case nn.Linear() if layer.bias is not None:
                name = "dense" if isinstance(after, nn.ReLU) else "dense without activation"
                found.append((name, layer.in_features, layer.out_features))
            case nn.ReLU():
                pass
            case _:
                found.append((layer,))
    return found


def test_the_layers_are_those_of_the_release() -> None:
    model = build("vggish", classes=5)
    assert layers_of(model.features, model.embed) == PUBLISHED


def test_it_has_the_published_number_of_weights_up_to_its_embedding() -> None:
    model = build("vggish", classes=5)
    assert sum(weight.numel() for part in (model.features, model.embed) for weight in part.parameters()) == 72_141_184
    assert sum(weight.numel() for weight in model.parameters()) == 72_141_184 + 5 * 129


def test_maps_are_flattened_frame_by_frame_then_band_by_band_with_channels_side_by_side() -> None:
    # TensorFlow keeps channels last, so weights of the release fit this order alone.
    model = build("vggish", classes=5)
    seen: list[torch.Tensor] = []
    model.features.register_forward_hook(lambda _, __, maps: seen.append(maps))
    model.embed.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    model(torch.randn(1, 96, 64))
    maps_1CFM, flat_1E = seen
    frame, band, channel = 5, 2, 77
    assert flat_1E.shape == (1, 6 * 4 * 512)
    assert flat_1E[0, (frame * 4 + band) * 512 + channel] == maps_1CFM[0, channel, frame, band]


def test_the_embedding_is_taken_before_its_activation_and_classified_after_it() -> None:
    model = build("vggish", classes=5).eval()
    with torch.inference_mode():
        logits, embedding = model(torch.randn(2, 96, 64))
        torch.testing.assert_close(logits, model.classify(embedding.relu()))
    assert embedding.shape == (2, 128)
    assert (embedding < 0).any()


@pytest.mark.parametrize("frames", [192, 287])
def test_a_longer_sound_is_the_mean_of_its_whole_patches(frames: int) -> None:
    model = build("vggish", classes=5).eval()
    log_mel = torch.randn(1, frames, 64)
    with torch.inference_mode():
        whole = model(log_mel)[1]
        parts = torch.cat([model(log_mel[:, :96])[1], model(log_mel[:, 96:192])[1]])
    torch.testing.assert_close(whole, parts.mean(0, keepdim=True))
