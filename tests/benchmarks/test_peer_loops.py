"""What `benchmarks/peer_loops.py` measures is what it says; stand-ins of a few weights have the peers' interfaces."""

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
import torch

from tests.project import PROJECT

PANNS = {
    "pytorch/models.py": """
        import torch
        from torch import nn
        from pytorch_utils import do_mixup

        class Energy(nn.Module):
            def forward(self, audio):
                return audio.unfold(-1, 320, 320).square().mean(-1)[:, None, :, None].expand(-1, 1, -1, 64)

        class MobileNetV2(nn.Module):
            def __init__(self, sample_rate, window_size, hop_size, mel_bins, fmin, fmax, classes_num):
                super().__init__()
                assert (sample_rate, hop_size, mel_bins) == (32_000, 320, 64)
                self.spectrogram_extractor, self.logmel_extractor, self.spec_augmenter = Energy(), nn.ReLU(), nn.Tanh()
                self.conv, self.fc_audioset = nn.Conv2d(1, 4, 3), nn.Linear(4, classes_num)

            def forward(self, heard, mixup_lambda=None):
                log_mel = self.spec_augmenter(self.logmel_extractor(self.spectrogram_extractor(heard)))
                if mixup_lambda is not None:
                    log_mel = do_mixup(log_mel, mixup_lambda)
                embedding = self.conv(log_mel).mean((2, 3))
                return {"clipwise_output": torch.sigmoid(self.fc_audioset(embedding)), "embedding": embedding}
        """,
    "pytorch/pytorch_utils.py": """
        import torch

        def move_data_to_device(values, device):
            return torch.Tensor(values).to(device)

        def do_mixup(values, shares):
            shares = shares.reshape(-1, *[1] * (values.dim() - 1))
            return (values * shares)[::2] + (values * shares)[1::2]
        """,
    "pytorch/losses.py": """
        from torch.nn.functional import binary_cross_entropy

        def get_loss_func(name):
            assert name == "clip_bce"
            return lambda scores, targets: binary_cross_entropy(scores["clipwise_output"], targets["target"])
        """,
    "utils/utilities.py": """
        import numpy as np

        class Mixup:
            def __init__(self, mixup_alpha):
                pass

            def get_lambda(self, batch_size):
                return np.full(batch_size, 0.5)
        """,
}
EFFICIENTAT = {
    "models/mn/model.py": """
        from torch import nn
        from helpers.utils import CLASSES

        class Network(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.classify = nn.Conv2d(1, 4, 3), nn.Linear(4, CLASSES)

            def forward(self, log_mel):
                assert log_mel.shape[2] in (64, 128)
                embedding = self.conv(log_mel).mean((2, 3))
                return self.classify(embedding), embedding

        def get_model():
            print("all about the network")
            return Network()
        """,
    "models/preprocess.py": """
        from torch import nn

        class AugmentMelSTFT(nn.Module):
            def __init__(self, n_mels, sr, hopsize, **options):
                super().__init__()
                self.bands, self.hop = n_mels, hopsize

            def forward(self, audio):
                return audio.unfold(-1, self.hop, self.hop).square().mean(-1)[:, None].expand(-1, self.bands, -1)
        """,
    "helpers/utils.py": """
        from pathlib import Path
        import torch

        CLASSES = int(Path("metadata/classes.txt").read_text())

        def mixup(clips, alpha):
            return torch.randperm(clips), torch.full((clips,), 0.5)
        """,
    "metadata/classes.txt": "527",
}
COMMON_NAMES = {"models", "pytorch_utils", "losses", "utilities", "helpers"}


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def script(name: str = "peer_loops") -> Any:
    return importlib.import_module(name)


def clone(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text))
    return folder


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        script().main(["--device", "cpu", *arguments])
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_both_peers_are_measured_in_their_loops_and_in_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script("peer_ways"), "PANNS_NEAREST", {"MobileNetV2": ["mobilenet_v2"]})
    folders = ["--panns", f"{clone(tmp_path / 'a', PANNS)}", "--efficientat", f"{clone(tmp_path / 'b', EFFICIENTAT)}"]
    figures = tmp_path / "figures.json"
    size = ["--batch", "2", "--seconds", "1", "--rounds", "2", "--json", f"{figures}"]
    script().main(["--device", "cpu", *folders, *size])
    found = json.loads(figures.read_text())["networks"]
    ways = [one["way"] for one in found if not one["way"].endswith("float32")]
    assert ways == [
        "EfficientAT mn10, its own loop, 128 bands",
        "EfficientAT mn10, its own loop, 64 bands",
        "EfficientAT mn10, this loop",
        "mobilenet_v2, this loop",
        "PANNs MobileNetV2, its own loop, 64 bands",
        "PANNs MobileNetV2, this loop",
        "mobilenet_v2, this loop",
    ]
    assert all(len(one["clips_per_s"]) == 2 and min(one["clips_per_s"]) > 0 for one in found)
    assert [one["times_own"] for one in found if "64 bands" in one["way"]] == [[1.0, 1.0]] * 2
    weights = 4 * 9 + 4 + 4 * 527 + 527
    operations = 2 * (4 * 9 * (101 - 2) * (64 - 2) + 4 * 527)  # 101 frames a second, and 64 bands
    cost = next(one["cost"] for one in found if one["way"] == "PANNs MobileNetV2, its own loop, 64 bands")
    assert cost == {"parameters": weights, "flop": operations}
    printed = capsys.readouterr().out
    assert all(way in printed for way in ways) and "all about the network" not in printed
    assert not COMMON_NAMES & {name.partition(".")[0] for name in sys.modules}


def test_a_step_changes_all_weights_of_a_peers_network_in_its_loop_and_in_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = script("peer_ways")
    monkeypatch.setattr(ways, "PANNS_NEAREST", {"MobileNetV2": ["mobilenet_v2"]})
    setting = ways.Setting(2, 1.0, torch.device("cpu"))
    with script().PEERS["panns"].loaded(clone(tmp_path, PANNS)) as (contender,):
        build, tools = contender.own_loops[64].args
        theirs, ours = build(), contender.build()
        for network, step in {
            theirs: ways.panns_step(lambda: theirs, tools, setting),
            ours: ways.our_step(replace(contender, build=lambda: ours), setting, contender.augmentation),
        }.items():
            before = [weight.detach().clone() for weight in network.parameters()]
            step()
            after = list(network.parameters())
            assert not any(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_efficientats_loss_is_of_labels_and_of_the_teacher_and_falls(tmp_path: Path) -> None:
    setting = script("peer_ways").Setting(2, 1.0, torch.device("cpu"))
    with script().PEERS["efficientat"].loaded(clone(tmp_path, EFFICIENTAT)) as (contender,):
        step = contender.own_loops[128](setting)
        losses = np.array([step() for _ in range(24)])
    assert losses[:, 0] == pytest.approx(losses[:, 1] + losses[:, 2])
    assert losses[0, 1] == pytest.approx(0.1 * np.log(2), rel=0.2)  # before anything is learnt
    assert losses[-4:, 1].mean() < losses[:4, 1].mean()


def test_logits_of_panns_are_those_before_its_sigmoid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script("peer_ways"), "PANNS_NEAREST", {"MobileNetV2": ["mobilenet_v2"]})
    with script().PEERS["panns"].loaded(clone(tmp_path, PANNS)) as (contender,):
        network = contender.build()
        log_mel_BFM = torch.rand(2, 98, 64)
        logits_BC, embedding_BE = network(log_mel_BFM)
        scores = network.network(log_mel_BFM.unsqueeze(1))
    assert logits_BC.shape == (2, 527) and embedding_BE.shape == (2, network.embedding_size)
    assert torch.equal(logits_BC.sigmoid(), scores["clipwise_output"])


def test_a_folder_that_is_no_clone_is_named_with_the_address(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = refused(["--efficientat", f"{clone(tmp_path, PANNS)}"], capsys)
    assert f"{tmp_path} has no models/mn/model.py" in printed
    assert "https://github.com/fschmid56/EfficientAT" in printed


def test_a_package_that_is_missing_is_named_with_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = PANNS | {"utils/utilities.py": "import a_package_that_nobody_has\n"}
    printed = refused(["--panns", f"{clone(tmp_path, files)}"], capsys)
    assert "needs a_package_that_nobody_has: pip install torchlibrosa h5py" in printed


def test_without_a_peer_there_is_nothing_to_compare(capsys: pytest.CaptureFixture[str]) -> None:
    assert "give --efficientat or --panns" in refused([], capsys)
