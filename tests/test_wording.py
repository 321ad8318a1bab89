from __future__ import annotations

import pytest

from xmodal_kedro.wording import counted


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 files are"), (1, "1 file is"), (2, "2 files are"), (1_000, "1000 files are")]
)
def test_a_noun_agrees_with_its_number(number: int, said: str) -> None:
    assert counted(number, "file is", "files are") == said
    assert counted(number, "file") == said.rpartition(" ")[0]
