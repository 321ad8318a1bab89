from __future__ import annotations

import pytest

from tests.evaluation.rule_networks import COMPARE, probe_task, train_jobs
from tests.fakes import MemoryShard, shard_of
from tests.tones import tone_params
from xmodal_kedro.evaluation.rule_trials import trial_jobs


@pytest.fixture(scope="session")
def networks() -> dict[str, MemoryShard]:
    return {key: shard_of(job) for key, job in train_jobs().items()}


@pytest.fixture(scope="session")
def predictions(networks: dict[str, MemoryShard]) -> dict[str, MemoryShard]:
    return {key: shard_of(job) for key, job in trial_jobs(networks, probe_task(), tone_params(), COMPARE).items()}
