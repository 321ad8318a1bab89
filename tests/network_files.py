"""An untrained network as stored files."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from tests.tones import TONES_HZ, tone, tone_params
from xmodal_kedro.features.log_mel import LogMel
from xmodal_kedro.models import build
from xmodal_kedro.models.card import make_card, restore_backbone
from xmodal_kedro.pcm import INT16_FULL_SCALE


def sound(hz: float, duration_s: float = 1.0, seed: int = 0) -> np.ndarray:
    return tone(hz, duration_s, seed).astype(np.float32) / INT16_FULL_SCALE


class Trained:
    """An untrained network with weights and card as files."""

    def __init__(self, folder: Path, model: str = "vggish_plus") -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = build(model, len(TONES_HZ), tone_params().vggish_plus).eval()
        best = {"epoch": 0, "validation_map": 0.5}
        self.card = make_card(network, list(TONES_HZ), tone_params(model=model, log_offset=0.02), "abc", best)
        self.weights = {name: weight.contiguous() for name, weight in network.state_dict().items()}
        self.weights_file, self.card_file = folder / "weights.safetensors", folder / "card.json"
        save_file(self.weights, self.weights_file)
        self.card_file.write_text(json.dumps(self.card))

    @cached_property
    def network(self) -> torch.nn.Module:
        return restore_backbone(self.card, self.weights)

    def predict(self, audio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores [classes] and embedding [size] of audio [samples] at 16 kHz."""
        with torch.inference_mode():
            logits, embedding = self.network(LogMel(0.02)(torch.from_numpy(audio)[None]))
        return logits[0].sigmoid().numpy(), embedding[0].numpy()
