"""Networks trained on rules that give the same labels, and what they are probed on."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from tests.fakes import MemoryShard
from tests.tones import TONES_HZ, VOCABULARY, tone, tone_params, tone_shards
from xmodal_kedro.evaluation.benchmarks.benchmark import Benchmark, rotate
from xmodal_kedro.evaluation.rule_trials import ProbeTask
from xmodal_kedro.evaluation.rules import training_jobs
from xmodal_kedro.params import CompareParams, TransferParams
from xmodal_kedro.schemas import BENCHMARK_SOUNDS_ARROW

COMPARE = CompareParams(rules=("visual_only", "union"), seeds=2)
NAMED = {"benchmark": "csv", "model": "vggish_plus"}


def probe_task(tones: int = 36) -> ProbeTask:
    """Tones in three folds."""
    rows, clips = [], []
    for number in range(tones):
        category = list(TONES_HZ)[number % 3]
        audio = tone(TONES_HZ[category], 1.2, seed=1000 + number)
        rows.append({"file": f"{number}.wav", "audio": audio.tobytes(), "rms_dbfs": -15.0})
        clips.append((f"{number}.wav", category, 1 + number // 3 % 3))
    table = pd.DataFrame(clips, columns=["file", "category", "group"])
    benchmark = Benchmark(table, (), rotate(table["group"].to_numpy()), complete=True)
    sounds = {"0": MemoryShard(pa.Table.from_pylist(rows, schema=BENCHMARK_SOUNDS_ARROW))}
    return ProbeTask(benchmark, sounds, TransferParams(benchmark="csv", regularisation=(0.01, 0.1), device="cpu"))


def train_jobs(**changes: Any) -> dict[str, Any]:
    """Trainings on rules that give the same labels, so that only their names differ."""
    clips, labels = tone_shards()
    by_rule = {f"{rule}-{key}": shard for rule in ("visual_only", "union") for key, shard in labels.items()}
    vocabularies = pd.concat([VOCABULARY.assign(rule=rule) for rule in ("visual_only", "union")])
    return training_jobs(clips, by_rule, vocabularies, tone_params(**changes), COMPARE)


def all_rows(predictions: dict[str, MemoryShard]) -> pd.DataFrame:
    return pd.concat([shard().to_pandas() for shard in predictions.values()], ignore_index=True)
