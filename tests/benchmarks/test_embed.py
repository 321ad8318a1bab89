from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.benchmarks.sounds import write_benchmark
from tests.fakes import folder_of
from xmodal_kedro.audio.log_mel import LogMel
from xmodal_kedro.benchmarks.embed import embed_files, random_network
from xmodal_kedro.media.decode import read_audio

CPU = torch.device("cpu")
CARD = {"model": "vggish_plus", "classes": ["a", "b"]}


def test_embeddings_keep_the_order_of_the_files_whatever_the_batches(tmp_path: Path) -> None:
    files = [file for name, file in write_benchmark(tmp_path).items() if name.startswith("audio/")]
    network = random_network(CARD, seed=0)
    whole = embed_files(files, {"net": network}, 0.01, len(files), CPU)["net"]
    one_by_one = embed_files(files, {"net": network}, 0.01, 1, CPU)["net"]
    assert whole.shape == (15, network.embedding_size)
    np.testing.assert_allclose(whole, one_by_one, rtol=1e-4, atol=1e-5)


def test_a_long_sound_is_heard_whole(tmp_path: Path) -> None:
    file = write_benchmark(tmp_path)["audio/5-0.wav"]
    network = random_network(CARD, seed=0)
    audio = torch.from_numpy(read_audio(file.path)).float()[None] / 32_768
    with torch.inference_mode():
        _, expected = network(LogMel(0.01)(audio))
    embedded = embed_files([file], {"net": network}, 0.01, 8, CPU)["net"]
    np.testing.assert_allclose(embedded, expected.numpy(), rtol=1e-5)


def test_the_random_network_depends_on_its_seed_alone_and_leaves_the_generator_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    first, again, other = (random_network(CARD, seed) for seed in (5, 5, 6))
    assert torch.equal(torch.rand(1), expected)
    weights = [network.classify.weight for network in (first, again, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert not first.training


def test_the_random_network_has_the_options_of_the_trained_one() -> None:
    card = CARD | {"training": {"vggish_plus": {"pooling": "mean", "keep_bands": False, "width": 8}}}
    assert random_network(card, 0).embedding_size == 64


def test_a_sound_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    write_benchmark(tmp_path)
    (tmp_path / "audio" / "1-0.wav").write_bytes(b"this is no sound")
    files = [folder_of(tmp_path)["audio/1-0.wav"]]
    with pytest.raises(ValueError, match="replace audio/1-0.wav from the benchmark's archive"):
        embed_files(files, {"net": random_network(CARD, 0)}, 0.01, 4, CPU)
