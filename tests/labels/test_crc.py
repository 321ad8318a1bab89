from __future__ import annotations

import zlib

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from xmodal_kedro.labels.crc import crc32

TEXTS = st.one_of(
    st.lists(st.text(max_size=6), max_size=8),
    st.integers(0, 45).flatmap(lambda size: st.lists(st.text("0123456789abcdef-", min_size=size, max_size=size))),
)


@given(TEXTS, st.integers(0, 3))
def test_it_is_that_of_zlib_for_each_text(texts: list[str], before: int) -> None:
    array = pa.array(["of a slice"] * before + texts, pa.string())[before:]
    assert crc32(array).tolist() == [zlib.crc32(text.encode()) for text in texts]
