from __future__ import annotations

import pytest
import torch

from xmodal_kedro.models import BACKBONES, build
from xmodal_kedro.models.backbone import FIRST_PROBABILITY


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("frames", [96, 250])
def test_gives_logits_and_an_embedding_for_any_sound_of_a_patch_or_more(name: str, frames: int) -> None:
    model = build(name, classes=5).eval()
    with torch.inference_mode():
        logits, embedding = model(torch.randn(2, frames, 64))
    assert logits.shape == (2, 5)
    assert embedding.shape == (2, model.embedding_size)


@pytest.mark.parametrize("name", BACKBONES)
def test_the_embedding_is_pooled_from_what_it_tells_over_time(name: str) -> None:
    model, log_mel = build(name, classes=5).eval(), torch.randn(2, 250, 64)
    with torch.inference_mode():
        parts, (_, embedding) = model.over_time(log_mel), model(log_mel)
    assert parts.shape[1] > 1
    torch.testing.assert_close(parts.mean(1), embedding[:, : parts.shape[2]], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", BACKBONES)
def test_every_weight_learns(name: str) -> None:
    model = build(name, classes=5)
    model(torch.randn(4, 96, 64))[0].square().sum().backward()
    idle = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert idle == []


@pytest.mark.parametrize(
    ("name", "weights"),
    [("vggish", 72_141_829), ("vggish_plus", 1_136_613), ("resnet50", 23_512_005), ("mobilenet_v2", 2_229_701)],
)
def test_the_number_of_weights_with_five_classes(name: str, weights: int) -> None:
    assert sum(weight.numel() for weight in build(name, classes=5).parameters()) == weights


@pytest.mark.parametrize("name", BACKBONES)
def test_a_classifier_begins_with_few_classes(name: str) -> None:
    biases = dict(build(name, 5).classify.named_parameters())
    (bias,) = [values for key, values in biases.items() if key.endswith("bias")]
    torch.testing.assert_close(bias.sigmoid(), torch.full((5,), FIRST_PROBABILITY))


@pytest.mark.parametrize("name", BACKBONES)
def test_memory_order_changes_no_result(name: str) -> None:
    torch.manual_seed(0)
    model, log_mel = build(name, classes=5).eval(), torch.randn(2, 130, 64)
    with torch.inference_mode():
        plain = model(log_mel)
        last = model.to(memory_format=torch.channels_last)(log_mel)
    for one, other in zip(plain, last, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", BACKBONES)
def test_bfloat16_changes_little(name: str) -> None:
    torch.manual_seed(0)
    model, log_mel = build(name, classes=5).eval(), torch.randn(2, 130, 64)
    with torch.inference_mode():
        _, exact = model(log_mel)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits, rough = model(log_mel)
    assert torch.isfinite(logits).all()
    assert (rough.float() - exact).norm() < 0.05 * exact.norm()


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
