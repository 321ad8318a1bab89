from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tones import tone_params
from xmodal_kedro.models import build
from xmodal_kedro.params import VGGishPlusParams

NOTHING = VGGishPlusParams(batch_norm=False, pooling="flat", context="patch", width=64)
SMALL = [
    VGGishPlusParams(batch_norm=norms, pooling=pooling, context=context, keep_bands=not norms, width=2)
    for norms, pooling, context in product([False, True], ["flat", "mean", "mean_max"], ["patch", "clip"])
    if (pooling, context) != ("flat", "clip")
]
"""Every pooling with every context, with norms and without, over all bands and band by band."""


def name_of(options: VGGishPlusParams) -> str:
    return f"{options.pooling}-{options.context}-{'normed' if options.batch_norm else 'plain'}"


def test_without_any_improvement_it_is_vggish_to_the_bit() -> None:
    torch.manual_seed(0)
    vggish = build("vggish", 3).eval()
    torch.manual_seed(0)
    plus = build("vggish_plus", 3, NOTHING).eval()
    for ours, published in zip(plus.state_dict().values(), vggish.state_dict().values(), strict=True):
        assert torch.equal(ours, published)
    log_mel = torch.randn(2, 200, 64)
    with torch.inference_mode():
        for ours, published in zip(plus(log_mel), vggish(log_mel), strict=True):
            torch.testing.assert_close(ours, published)


@pytest.mark.parametrize("options", SMALL, ids=name_of)
def test_every_combination_runs_forward_and_backward_and_every_weight_learns(options: VGGishPlusParams) -> None:
    torch.manual_seed(0)
    model = build("vggish_plus", 5, options)
    logits, embedding = model(torch.randn(8, 200, 64))
    assert logits.shape == (8, 5) and embedding.shape == (8, model.embedding_size)
    logits.square().sum().backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()] == []


@given(options=st.sampled_from(SMALL), frames=st.integers(96, 500), batch=st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_any_sound_of_a_patch_or_more_is_embedded(options: VGGishPlusParams, frames: int, batch: int) -> None:
    model = build("vggish_plus", 5, options).eval()
    with torch.inference_mode():
        logits, embedding = model(torch.randn(batch, frames, 64))
    assert logits.shape == (batch, 5) and embedding.shape == (batch, model.embedding_size)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("options", SMALL, ids=name_of)
def test_a_sound_is_embedded_alike_whatever_its_batch(options: VGGishPlusParams) -> None:
    model = build("vggish_plus", 5, options).eval()
    log_mel = torch.randn(3, 130, 64)
    with torch.inference_mode():
        torch.testing.assert_close(model(log_mel)[1][1:2], model(log_mel[1:2])[1], rtol=1e-3, atol=1e-4)


def test_a_patch_is_a_whole_context_of_its_own() -> None:
    torch.manual_seed(0)
    patch = build("vggish_plus", 5, VGGishPlusParams(context="patch", width=2)).eval()
    clip = build("vggish_plus", 5, VGGishPlusParams(context="clip", width=2)).eval()
    clip.load_state_dict(patch.state_dict())
    log_mel = torch.randn(1, 192, 64)
    with torch.inference_mode():
        torch.testing.assert_close(patch(log_mel[:, :96])[1], clip(log_mel[:, :96])[1])
        halves = (clip(log_mel[:, :96])[1] + clip(log_mel[:, 96:])[1]) / 2
        torch.testing.assert_close(patch(log_mel)[1], halves)
        assert not torch.allclose(clip(log_mel)[1], halves, rtol=1e-3)


@pytest.mark.parametrize("pooling", ["mean", "mean_max"])
def test_an_embedding_tells_bands_apart_only_where_they_are_kept(pooling: str) -> None:
    maps = torch.rand(1, 16, 6, 4)
    for keep_bands in (True, False):
        pool = build("vggish_plus", 5, VGGishPlusParams(pooling=pooling, keep_bands=keep_bands, width=2)).pool
        assert torch.allclose(pool(maps), pool(maps.flip(3)), atol=1e-6) is not keep_bands


@pytest.mark.parametrize(
    ("options", "weights"),
    [
        ({}, 1_136_613),
        ({"batch_norm": False}, 1_135_749),
        ({"pooling": "mean"}, 1_131_493),
        ({"keep_bands": False}, 1_128_933),
        ({"pooling": "flat", "context": "patch"}, 43_602_661),
        ({"context": "patch"}, 1_136_613),
        ({"width": 64}, 4_521_925),
    ],
    ids=str,
)
def test_the_number_of_weights_with_five_classes(options: dict, weights: int) -> None:
    model = build("vggish_plus", 5, VGGishPlusParams.model_validate(options))
    assert sum(weight.numel() for weight in model.parameters()) == weights


def test_the_layers_of_a_patch_over_a_whole_clip_are_an_error_that_names_field_and_remedy() -> None:
    with pytest.raises(ValueError, match=r"train\.vggish_plus\.pooling \(flat\).*set context: patch, or another"):
        VGGishPlusParams.model_validate({"pooling": "flat"})
    with pytest.raises(ValueError, match=r"train\.vggish_plus\.pooling \(flat\).*parameters/train\.yml"):
        tone_params(vggish_plus={"pooling": "flat"})


def test_an_unknown_option_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match=r"vggish_plus\.poling"):
        tone_params(vggish_plus={"poling": "mean"})
