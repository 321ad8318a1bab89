from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from tests.fakes import MemoryShard, shard_of
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.datasets.sharded import ShardedParquetDataset
from xmodal_kedro.evaluation.embeddings import collect_embeddings, embed_benchmark, representations_of
from xmodal_kedro.evaluation.representations import (
    LogMelStatistics,
    NetworkEmbedding,
    TeacherEmbedding,
    random_network,
)
from xmodal_kedro.features.log_mel import LogMel
from xmodal_kedro.inference.audio_model import AudioModel
from xmodal_kedro.models.backbone import Backbone
from xmodal_kedro.models.card import digest
from xmodal_kedro.params import AudioTeacherCard
from xmodal_kedro.schemas import BENCHMARK_SOUNDS_ARROW, BenchmarkEmbeddings
from xmodal_kedro.teachers.opening import teacher_files

CPU = torch.device("cpu")
CARD: dict[str, Any] = {"model": "vggish_plus", "classes": ["a", "b"], "training": {"vggish_plus": {"width": 4}}}


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 3000, int(16_000 * seconds)).astype(np.int16)


def sounds_shard(lengths_s: list[float], first: int = 0) -> MemoryShard:
    rows = [
        {"file": f"{first + place}.wav", "audio": noise(seconds, first + place).tobytes(), "rms_dbfs": -20.0}
        for place, seconds in enumerate(lengths_s)
    ]
    return MemoryShard(pa.Table.from_pylist(rows, schema=BENCHMARK_SOUNDS_ARROW))


def network(seed: int = 0, log_offset: float = 0.01) -> NetworkEmbedding:
    return representation_of(random_network(CARD, seed), log_offset)


def representation_of(backbone: Backbone, log_offset: float = 0.01) -> NetworkEmbedding:
    card = CARD | {"front_end": {"log_offset": log_offset, "sample_rate_hz": 16_000}}
    return NetworkEmbedding(AudioModel.of(backbone, card, CPU))


def test_an_embedding_is_alike_whatever_shares_its_batch() -> None:
    shards = {"0": sounds_shard([1.5, 0.4, 1.5]), "1": sounds_shard([2.0], first=3)}
    names = [f"{number}.wav" for number in (2, 0, 3, 1)]
    made = {size: embed_benchmark(shards, {"net": network()}, size) for size in (1, 8)}
    one, many = (
        collect_embeddings({key: shard_of(job) for key, job in jobs.items()}, "net", names) for jobs in made.values()
    )
    assert many.embeddings.shape == (4, 2 * random_network(CARD, 0).over_time(torch.zeros(1, 96, 64)).shape[2])
    assert many.scores.shape == (4, 2)
    np.testing.assert_allclose(one.embeddings, many.embeddings, rtol=1e-4, atol=1e-5)


def test_a_long_sound_is_heard_whole_as_mean_and_maximum_over_time() -> None:
    sound, net = noise(3.3), random_network(CARD, 0)
    represented = representation_of(net)  # from here on the weights of `net` have the layout that embedding has them in
    log_mel = LogMel(0.01)(torch.from_numpy(sound).float()[None] / 32_768)
    with torch.inference_mode():
        parts, (logits, _) = net.over_time(log_mel)[0], net(log_mel)
    reported = represented([sound])
    np.testing.assert_allclose(reported.embeddings[0], torch.cat([parts.mean(0), parts.amax(0)]), rtol=1e-5)
    np.testing.assert_allclose(reported.scores[0], logits[0].sigmoid(), rtol=1e-5)


def test_log_mel_statistics_are_mean_deviation_and_maximum_of_each_band() -> None:
    log_mel = LogMel(0.01)(torch.from_numpy(noise(2)).float()[None] / 32_768)[0]
    reported = LogMelStatistics()([noise(2)])
    np.testing.assert_allclose(reported.embeddings[0], torch.cat([log_mel.mean(0), log_mel.std(0), log_mel.amax(0)]))
    assert reported.scores.shape == (1, 0)


def test_a_teacher_s_embedding_is_pooled_over_its_patches(real_data: Path) -> None:
    from tests.fakes import folder_of

    card = AudioTeacherCard.model_validate(
        {
            "backend": "onnx",
            "weights": "yamnet_patches.onnx",
            "labels": "yamnet_class_map.csv",
            "input": {"kind": "log_mel", "log_offset": 0.001},
            "output": {"tensor": "scores", "embedding": "embedding"},
        }
    )
    teacher = TeacherEmbedding(card, teacher_files(card, folder_of(real_data / "teachers")), "cpu")
    one, two = teacher([noise(2.0)]), teacher([noise(2.0), noise(1.0, 1)])
    assert one.embeddings.shape == (1, 2048) and one.scores.shape == (1, 521)
    assert (one.embeddings[0, 1024:] >= one.embeddings[0, :1024]).all()
    np.testing.assert_allclose(one.embeddings[0], two.embeddings[0], rtol=1e-4, atol=1e-5)


def test_the_random_network_depends_on_its_seed_alone_and_leaves_the_generator_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    first, again, other = (random_network(CARD, seed) for seed in (5, 5, 6))
    assert torch.equal(torch.rand(1), expected)
    assert digest(first.state_dict()) == digest(again.state_dict()) != digest(other.state_dict())
    assert not first.training


@pytest.mark.parametrize("change", [lambda: network(seed=1), lambda: network(log_offset=0.001)])
def test_other_weights_or_another_front_end_are_another_job(change: Callable[[], NetworkEmbedding]) -> None:
    def mark(representation: Any, batch_size: int = 8) -> str:
        (job,) = embed_benchmark({"0": sounds_shard([1.0])}, {"net": representation}, batch_size).values()
        return fingerprint(job)

    assert mark(network()) == mark(network(), batch_size=2)
    assert mark(network()) != mark(change())


def test_embeddings_are_made_once_for_the_same_weights(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stored = ShardedParquetDataset(path=str(tmp_path / "embeddings"), engine={"backend": "threading", "workers": 1})
    shards = {"0": sounds_shard([1.0]), "1": sounds_shard([1.0, 1.2], first=1)}
    with caplog.at_level("INFO"):
        stored.save(embed_benchmark(shards, {"pretrained": network(0), "log_mel": LogMelStatistics()}, 8))
        stored.save(embed_benchmark(shards, {"pretrained": network(1), "log_mel": LogMelStatistics()}, 8))
    assert "2 shards written, 2 unchanged" in caplog.text
    made = stored.load()
    assert set(representations_of(made)) == {"pretrained", "log_mel"}
    for shard in made.values():
        BenchmarkEmbeddings.validate(shard().to_pandas())


def test_embeddings_of_other_sounds_are_an_error() -> None:
    made = {key: shard_of(job) for key, job in embed_benchmark({"0": sounds_shard([1.0])}, {"n": network()}, 8).items()}
    with pytest.raises(ValueError, match="run the pipeline transfer_eval from its beginning"):
        collect_embeddings(made, "n", ["0.wav", "1.wav"])
