import pickle
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xmodal_kedro.labels.class_map import Indices
from xmodal_kedro.storage.cached_pickle import Shared


@dataclass(frozen=True)
class Squares(Shared):
    numbers: Indices

    @cached_property
    def worked_out(self) -> Indices:
        return self.numbers**2


def test_a_worker_has_one_of_what_it_gets_often_with_what_that_worked_out() -> None:
    sent = pickle.dumps(Squares(np.arange(4)))
    first, second = pickle.loads(sent), pickle.loads(sent)
    assert first.worked_out.tolist() == [0, 1, 4, 9]
    assert second is first
    assert vars(second)["worked_out"] is first.worked_out


def test_objects_that_differ_stay_apart() -> None:
    small, large = (pickle.loads(pickle.dumps(Squares(np.arange(size)))) for size in (2, 3))
    assert (len(small.numbers), len(large.numbers)) == (2, 3)


def test_what_was_worked_out_is_not_sent() -> None:
    squares = Squares(np.arange(1000))
    before = len(pickle.dumps(squares))
    assert len(squares.worked_out) == 1000
    assert len(pickle.dumps(Squares(np.arange(1000)))) == before == len(pickle.dumps(squares))
