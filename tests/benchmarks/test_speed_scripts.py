"""What `benchmarks/loader_speed.py` and `benchmarks/train_speed.py` measure is what they say."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.project import PROJECT
from tests.tones import TONES_HZ, tone_shards
from xmodal_kedro.schemas import Clips, Labels
from xmodal_kedro.training.student import Heads

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the scripts do
    yield
    torch.set_num_threads(threads)


def script(name: str) -> Any:
    return importlib.import_module(name)


@pytest.fixture
def tones(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(script("simulated_clips"), "CLASSES", len(TONES_HZ))
    return script("simulated_clips").Corpus(*tone_shards())


def learner(model: str = "mobilenet_v2", batch_size: int = 4) -> Any:
    ways = script("train_ways")
    params = ways.params_of(model, batch_size, compiled=False).model_copy(update={"clip_s": 1.0})
    return ways.Learner.for_pretraining(params, len(TONES_HZ), Heads(), 100, CPU)


def test_simulated_clips_are_as_the_project_makes_and_stores_them(tmp_path: Path) -> None:
    corpus = script("simulated_clips").store(tmp_path, shards=2, clips_per_shard=70)
    assert list(corpus.clips) == list(corpus.labels) == ["00000", "00001"]
    for key in corpus.clips:
        Clips.validate(corpus.clips[key]().to_pandas())
        Labels.validate(corpus.labels[key]().to_pandas())
    with corpus.clips["00000"].open() as parquet:
        assert parquet.num_row_groups == 2
        assert parquet.metadata.row_group(0).column(4).compression == "UNCOMPRESSED"


def test_shards_under_more_keys_are_read_as_often(tmp_path: Path) -> None:
    simulated = script("simulated_clips")
    corpus = simulated.store(tmp_path, shards=1, clips_per_shard=8).under_keys(3)
    assert corpus.stream(script("loader_ways").PARAMS).groups.clips == 24


def test_all_ways_read_the_same_clips_with_the_same_targets(tmp_path: Path) -> None:
    ways = script("loader_ways")
    script("simulated_clips").store(tmp_path, shards=2, clips_per_shard=70)
    ways.store_for_peers(tmp_path, 2)
    read = {}
    for name, open_way in ways.WAYS.items():
        if not ways.missing(name) and name != ways.MANY:
            batches = list(open_way(tmp_path, 2)(0))
            assert {(audio.dtype, targets.dtype) for audio, targets in batches} == {(torch.int16, torch.float32)}
            rows = [
                (sound.numpy().tobytes(), target.numpy().tobytes())
                for audio, targets in batches
                for sound, target in zip(audio, targets, strict=True)
            ]
            read[name] = sorted(rows)
    assert len(read) >= 3
    assert all(rows == read[ways.YARDSTICK] for rows in read.values())
    assert len(read[ways.YARDSTICK]) == 140


def test_the_loaders_figures_are_of_the_clips_that_were_read(tmp_path: Path) -> None:
    speed = script("loader_speed")
    script("simulated_clips").store(tmp_path, shards=2, clips_per_shard=40)
    timed = speed.time_way(tmp_path, "this project, 1 reader thread", 2, 100)
    assert 100 <= timed["clips"] < 100 + script("loader_ways").PARAMS.batch_size
    assert timed["cpu_s"] > 0
    memory = speed.watch_memory(tmp_path, 3, 50)
    assert memory["clips"] == 120
    table = speed.describe_speed({name: [timed] for name in script("loader_ways").WAYS if name != "WebDataset"})
    assert "not installed" in table or "WebDataset" in table


def test_every_way_to_train_takes_steps_and_the_table_tells_of_each(tones: Any) -> None:
    ways, speed, roofline = script("train_ways"), script("train_speed"), script("roofline")
    taught = learner()
    assert torch.isfinite(next(ways.from_shards(taught, tones)))
    step = lambda: None  # noqa: E731
    seconds = ways.in_turn(dict.fromkeys(speed.WAYS, step), dict.fromkeys(speed.WAYS, 2), ways.Timer(CPU), 3)
    assert {len(rounds) for rounds in seconds.values()} == {3}
    steady = {"step": [0.5], "front end": [0.05], "from shards": [0.625], "plain loop": [1.0]}
    found = [speed.Measured("mobilenet_v2", 4, False, steady), speed.Measured("mobilenet_v2", 9_999, False)]
    asked = {"mobilenet_v2": roofline.Asked(flop=1_000, conv_outputs=10)}
    machine = roofline.Machine(16_000.0, 4_800.0, "bfloat16")
    row, short = speed.describe(found, machine, asked).splitlines()[2:]
    assert " ".join(row.split()) == "mobilenet_v2 4 8.0 10.0 % 6.4 80 % 4.0 2.00 16.0 16.0 50 %"
    assert "out of memory" in short


def test_the_plain_loop_sees_the_spectrogram_that_ours_is() -> None:
    ways = script("train_ways")
    audio_BT = torch.from_numpy(ways.draw_clips(1, 0)[0]).float() / 32_768
    ours_BFM = ways.LogMel()(audio_BT)
    theirs_BFM = torch.log(ways.torchaudio_mel()(audio_BT) + 0.01).transpose(1, 2)
    frames = theirs_BFM.shape[1]
    assert abs(frames - ours_BFM.shape[1]) <= 1
    # torchaudio puts the window of 400 into the middle of 512 samples, and its triangles are linear in hertz.
    assert float((ours_BFM[:, :frames] - theirs_BFM).abs().mean()) < 0.3
    loss = ways.PlainLoop("mobilenet_v2", 2, CPU).step()
    assert np.isfinite(loss)


def test_operations_are_counted_forward_and_twice_backward() -> None:
    asked = script("roofline").count("vggish_plus")
    # The convolution of 64 to 128 channels on a map of 99 x 16 alone takes 2 * 9 * 64 * 128 operations an output.
    assert asked.flop > 3 * 2 * 9 * 64 * 128 * 99 * 16
    assert 1e6 < asked.conv_outputs < 1e7


def test_a_steps_time_is_shared_out_by_kind_of_work(tones: Any) -> None:
    shares_of = script("kernel_shares")
    taught = learner()
    losses = script("train_ways").from_shards(taught, tones)
    shares = shares_of.profile_steps(taught, lambda: next(losses), 1)
    assert {"convolution, matrix product", "batch norm", "front end", "optimiser"} <= shares.keys()
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert shares[shares_of.OTHER] < 0.1 * sum(shares.values())


def test_a_gpus_kernels_are_counted_once_and_under_what_launched_them() -> None:
    def event(name: str, device: str, us: float = 0.0, kernels: tuple = (), parent: Any = None, drawn: bool = False):
        time_range = SimpleNamespace(elapsed_us=lambda: us)
        device_type = SimpleNamespace(name=device)
        return SimpleNamespace(
            name=name,
            device_type=device_type,
            time_range=time_range,
            kernels=[SimpleNamespace(name=kernel, duration=spent) for kernel, spent in kernels],
            cpu_parent=parent,
            is_user_annotation=drawn,
        )

    front_end = event("front end", "CPU", kernels=(("front end", 50.0),))
    events = [
        front_end,
        event("front end", "CUDA", us=50.0, drawn=True),
        event("aten::mm", "CPU", kernels=(("gemm", 20.0),), parent=front_end),
        event("gemm", "CUDA", us=20.0),
        event("aten::cudnn_convolution", "CPU", kernels=(("implicit", 30.0),)),
        event("implicit", "CUDA", us=30.0),
        event("launched by nobody", "CUDA", us=5.0),
    ]
    shares_of = script("kernel_shares")
    assert shares_of.group(events, on_gpu=True) == {
        "front end": 20.0,
        "convolution, matrix product": 30.0,
        shares_of.UNATTRIBUTED: 5.0,
    }


def test_embedding_is_measured_beside_the_forward_pass_and_with_its_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed_speed = script("embed_speed")
    monkeypatch.setattr(embed_speed, "BATCH", 4)
    sounds = embed_speed.store_sounds(tmp_path / "sounds", 8)
    figures = embed_speed.measure("mobilenet_v2", sounds, sounds, 1, CPU)
    assert figures["size"] == 2 * 1280
    assert figures["forward"] > 0 and figures["embedded"] > 0
    assert figures["memory_mb"] > 100
