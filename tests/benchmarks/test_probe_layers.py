"""The layers of VGGish that are probed are those that the network computes."""

from __future__ import annotations

import importlib
from types import ModuleType

import numpy as np
import pytest
import torch

from tests.project import PROJECT
from tests.tones import tone
from xmodal_kedro.errors import UserError
from xmodal_kedro.features.log_mel import LogMel
from xmodal_kedro.models import build
from xmodal_kedro.params import VGGishPlusParams

FLAT = VGGishPlusParams(pooling="flat", context="patch", width=4)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    return importlib.import_module("probe_layers")


def test_the_embedding_is_what_the_network_pools_and_the_maps_what_it_comes_from(script: ModuleType) -> None:
    network = build("vggish_plus", 3, FLAT).eval()
    log_mel = LogMel(0.01)(torch.from_numpy(tone(1_000, 3.0, 0).astype(np.float32) / 32_768)[None])
    with torch.inference_mode():
        maps, embedding, activated = script.layers(network, log_mel)
        torch.testing.assert_close(embedding, network.over_time(log_mel))
    assert maps.shape == (1, 6 * embedding.shape[1], 32 * 4)
    assert torch.equal(activated, embedding.relu())


def test_sounds_of_any_length_are_represented_by_mean_and_maximum_over_time(script: ModuleType) -> None:
    network = build("vggish_plus", 3, FLAT).eval()
    made = script.represent(network, 0.01, [tone(300, 0.2, 0), tone(300, 2.5, 1)])
    assert [vectors.shape for vectors in made] == [(2, 256), (2, 256), (2, 256)]
    assert all((vectors[:, 128:] >= vectors[:, :128] - 1e-5).all() for vectors in made)


def test_a_network_without_layers_over_a_patch_is_refused(script: ModuleType) -> None:
    with pytest.raises(UserError, match="pooling: flat"):
        script.layers(build("vggish_plus", 3, VGGishPlusParams(width=4)), torch.zeros(1, 96, 64))


def test_the_table_has_a_row_for_each_network(script: ModuleType) -> None:
    found = {kind: {layer: [0.5, 0.7] for layer in script.LAYERS} for kind in ("untrained", "trained")}
    page = script.describe(found)
    assert page.count("60.0 ± 14.1") == 6 and "untrained" in page
