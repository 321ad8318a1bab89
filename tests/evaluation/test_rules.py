from __future__ import annotations

import json

from tests.evaluation.rule_networks import train_jobs
from tests.fakes import MemoryShard
from tests.tones import tone_params
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.evaluation.rules import params_of_seed
from xmodal_kedro.schemas import RuleNetworks


def test_a_network_is_trained_for_each_rule_and_seed(networks: dict[str, MemoryShard]) -> None:
    assert set(networks) == {f"{rule}-{seed}" for rule in ("visual_only", "union") for seed in (0, 1)}
    for key, network in networks.items():
        (row,) = RuleNetworks.validate(network().to_pandas()).to_dict("records")
        assert f"{row['rule']}-{row['seed']}" == key
        assert json.loads(row["card"])["training"]["seed"] == row["seed"]
    assert networks["union-0"].metadata["classes"] == "3"
    assert float(networks["union-0"].metadata["validation_map"]) > 0.5


def test_a_training_is_another_for_another_seed_and_not_for_what_only_changes_its_pace() -> None:
    first, again = train_jobs(), train_jobs()
    assert {key: fingerprint(job) for key, job in first.items()} == {
        key: fingerprint(job) for key, job in again.items()
    }
    assert len({fingerprint(job) for job in first.values()}) == len(first)
    assert fingerprint(train_jobs(epochs=3)["union-0"]) != fingerprint(first["union-0"])


def test_what_teachers_teach_beside_the_labels_is_left_out_of_a_comparison() -> None:
    taught = {"embedding_weight": 1.0, "visual_embedding_weight": 1.0, "live_teacher": {"enabled": True}}
    params = params_of_seed(tone_params(**taught), 3)
    assert params == tone_params(seed=3)
