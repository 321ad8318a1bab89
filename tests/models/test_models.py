from __future__ import annotations

import pytest
import torch

from xmodal_kedro.models import BACKBONES, build


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("frames", [96, 250])
def test_gives_logits_and_an_embedding_for_any_sound_of_a_patch_or_more(name: str, frames: int) -> None:
    model = build(name, classes=5).eval()
    with torch.inference_mode():
        logits, embedding = model(torch.randn(2, frames, 64))
    assert logits.shape == (2, 5)
    assert embedding.shape == (2, model.embedding_size)


@pytest.mark.parametrize("name", BACKBONES)
def test_every_weight_learns(name: str) -> None:
    model = build(name, classes=5)
    model(torch.randn(4, 96, 64))[0].square().sum().backward()
    idle = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert idle == []


def test_vggish_has_the_published_number_of_weights_up_to_its_embedding() -> None:
    model = build("vggish", classes=5)
    ladder = sum(weight.numel() for name, weight in model.named_parameters() if not name.startswith("classify"))
    assert ladder == 72_141_184


def test_vggish_embeds_a_longer_sound_as_the_mean_of_its_patches() -> None:
    model = build("vggish", classes=5).eval()
    log_mel = torch.randn(1, 192, 64)
    with torch.inference_mode():
        whole = model(log_mel)[1]
        parts = torch.cat([model(log_mel[:, :96])[1], model(log_mel[:, 96:])[1]])
    torch.testing.assert_close(whole, parts.mean(0, keepdim=True))


def test_mobilenet_computes_strided_depthwise_convolutions_in_float32_on_a_cpu() -> None:
    model = build("mobilenet_v2", classes=5)
    seen = {}
    for name, layer in model.named_modules():
        if isinstance(layer, torch.nn.Conv2d) and layer.groups > 1:
            layer.register_forward_hook(
                lambda layer, _, output, name=name: seen.update({name: (layer.stride, output.dtype)})
            )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        model(torch.randn(1, 96, 64))
    assert {dtype for stride, dtype in seen.values() if stride == (2, 2)} == {torch.float32}
    assert {dtype for stride, dtype in seen.values() if stride == (1, 1)} == {torch.bfloat16}


def test_an_unknown_name_is_an_error_that_names_the_field_and_the_choices() -> None:
    with pytest.raises(ValueError, match=r"train\.model \('alexnet'\).*vggish, vggish_plus, resnet50, mobilenet_v2"):
        build("alexnet", classes=5)
