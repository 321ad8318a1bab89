from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xmodal_kedro.features.framing import samples_for_frames
from xmodal_kedro.features.log_mel import LogMel, frame_patches, mel_weights


def reference_log_mel(audio: np.ndarray, log_offset: float) -> np.ndarray:
    """The recipe written out frame by frame and band by band in float64, from its description alone."""

    def hz_to_mel(hz: float) -> float:
        return 2595.0 * np.log10(1.0 + hz / 700.0)

    edges = [hz_to_mel(125) + i * (hz_to_mel(7500) - hz_to_mel(125)) / 65 for i in range(66)]
    rows = []
    for start in range(0, len(audio) - 399, 160):
        window = np.array([0.5 * (1 - np.cos(2 * np.pi * n / 400)) for n in range(400)])
        spectrum = np.abs(np.fft.fft(np.concatenate([audio[start : start + 400] * window, np.zeros(112)])))[:257]
        bands = []
        for low, centre, high in zip(edges, edges[1:], edges[2:], strict=False):
            mels = [hz_to_mel(k * 16000 / 512) for k in range(257)]
            triangle = [max(0.0, min((m - low) / (centre - low), (high - m) / (high - centre))) for m in mels]
            bands.append(np.log(np.dot(triangle[1:], spectrum[1:]) + log_offset))
        rows.append(bands)
    return np.array(rows)


@pytest.mark.parametrize("log_offset", [0.01, 0.001])
@pytest.mark.parametrize("kind", ["noise", "tone", "silence", "full scale"])
def test_equals_the_recipe_written_out_in_numpy(kind: str, log_offset: float) -> None:
    t = np.arange(2_000) / 16_000
    noise = np.random.default_rng(0).normal(0, 0.1, 2_000)
    audio = {
        "noise": noise,
        "tone": 0.3 * np.sin(2 * np.pi * 440 * t) + 0.03 * noise,
        "silence": np.zeros(2_000),
        "full scale": np.sign(np.sin(2 * np.pi * 200 * t)),
    }[kind]
    ours = LogMel(log_offset)(torch.tensor(audio[None], dtype=torch.float32))[0].numpy()
    np.testing.assert_allclose(ours, reference_log_mel(audio, log_offset), atol=1e-4)


def test_each_mel_band_is_a_triangle_within_the_band_limits() -> None:
    weights = mel_weights()
    hz = np.arange(257) * 16_000 / 512
    assert weights.shape == (257, 64)
    assert weights.min() >= 0 and weights.max() <= 1
    assert not weights[(hz < 125) | (hz > 7_500)].any()
    assert (weights > 0).sum(axis=1).max() <= 2


@settings(deadline=None, max_examples=25)
@given(samples=st.integers(400, 6_000))
def test_gives_a_frame_for_each_whole_window(samples: int) -> None:
    frames = LogMel()(torch.zeros(1, samples)).shape[1]
    assert frames == 1 + (samples - 400) // 160
    assert samples_for_frames(frames) <= samples < samples_for_frames(frames + 1)


def test_stays_in_float32_inside_autocast() -> None:
    audio = torch.randn(1, 4_000) * 0.1
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = LogMel()(audio)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, LogMel()(audio), rtol=0, atol=0)


def test_refuses_sound_shorter_than_a_frame() -> None:
    with pytest.raises(ValueError, match="pad the waveform with zeros"):
        LogMel()(torch.zeros(1, 399))


def test_patches_are_the_frames_they_cover() -> None:
    log_mel = torch.arange(250.0)[None, :, None].expand(1, 250, 64)
    patches = frame_patches(log_mel, 96, 48)
    assert patches.shape == (1, 4, 96, 64)
    assert patches[0, :, 0, 0].tolist() == [0, 48, 96, 144]
    torch.testing.assert_close(patches[0, 3], log_mel[0, 144:240])


def test_refuses_fewer_frames_than_a_patch() -> None:
    with pytest.raises(ValueError, match=r"95 frames.*15600 samples"):
        frame_patches(torch.zeros(1, 95, 64), 96, 48)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("compiled", [False, True])
def test_a_gpu_gives_what_a_cpu_gives(compiled: bool) -> None:
    audio = torch.randn(4, 64_000) * torch.tensor([1.0, 0.1, 1e-3, 0.0])[:, None]
    log_mel = LogMel(0.001).to("cuda")
    with torch.autocast("cuda", dtype=torch.bfloat16):
        ours = (torch.compile(log_mel) if compiled else log_mel)(audio.to("cuda")).cpu()
    torch.testing.assert_close(ours, LogMel(0.001)(audio), rtol=0, atol=1e-4)
