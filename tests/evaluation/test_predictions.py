from __future__ import annotations

import pandas as pd

from tests.evaluation.test_statistics import PREDICTIONS
from xmodal_kedro.evaluation.predictions import main_predictions


def test_the_first_protocol_that_was_run_stands_for_the_others() -> None:
    zero_shot = PREDICTIONS.assign(protocol="zero_shot")
    assert set(main_predictions(pd.concat([zero_shot, PREDICTIONS]))["protocol"]) == {"linear_probe"}
    assert set(main_predictions(zero_shot)["protocol"]) == {"zero_shot"}
