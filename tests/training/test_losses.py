from __future__ import annotations

import pytest
import torch

from xmodal_kedro.training.losses import LossBook
from xmodal_kedro.training.ranks import ALONE


def book_of(*losses: float) -> LossBook:
    book = LossBook(ALONE)
    for at, loss in enumerate(losses):
        book.note(torch.tensor(loss), [f"clip-{at}"])
    return book


def test_a_loss_is_booked_once_it_was_sent_and_received() -> None:
    book = book_of(1.0, 2.0)
    book.receive()
    assert book.steps == 0
    book.send()
    book.note(torch.tensor(5.0), ["clip-9"])
    book.receive()
    assert (book.steps, book.total) == (2, 3.0)


def test_settling_books_everything_there_is() -> None:
    book = book_of(1.0, 2.0, 6.0)
    book.settle()
    assert book.report() == 3.0 and book.window == []
    assert book.close() == 3.0 and (book.steps, book.total) == (0, 0.0)


def test_reports_are_of_what_came_since_the_last_one_and_the_epoch_of_all() -> None:
    book = book_of(1.0, 3.0)
    book.settle()
    assert book.report() == 2.0
    book.note(torch.tensor(8.0), ["clip-2"])
    book.settle()
    assert book.report() == 8.0 and book.close() == 4.0


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_names_the_clips_of_its_own_batch(bad: float) -> None:
    book = book_of(1.0, bad, 2.0)
    with pytest.raises(FloatingPointError, match=r"became (nan|inf) on clips clip-1: lower train\.learning_rate"):
        book.settle()
