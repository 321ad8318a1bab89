from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmodal_kedro.storage.file_names import FileNames, escaped

NFC, NFD = "k\u00fcche/\u00e9.wav", "ku\u0308che/e\u0301.wav"


@pytest.mark.parametrize(
    ("written", "called"),
    [
        ("sounds/x.wav", "sounds/x.wav"),
        ("./sounds/x.wav", "sounds/x.wav"),
        ("sounds//x.wav", "sounds/x.wav"),
        ("sounds/../sounds/x.wav", "sounds/x.wav"),
        ("sounds\\x.wav", "sounds/x.wav"),
        (".\\sounds\\x.wav", "sounds/x.wav"),
        ("/data/own/sounds/x.wav", "sounds/x.wav"),
        ("Sounds/X.WAV", "sounds/x.wav"),
        ("x.wav", "x.wav "),
        (NFC, NFD),
        (NFD, NFC),
        (NFD.upper(), NFC),
    ],
)
def test_another_spelling_of_a_name_finds_the_file(written: str, called: str) -> None:
    assert FileNames([called, "other.wav"], "/data/own").find(written) == [called]


def test_the_exact_name_comes_first_and_what_stays_unclear_is_all_there_is() -> None:
    names = FileNames(["a.wav", "A.wav", NFC, NFD])
    assert names.find("A.wav") == ["A.wav"]
    assert names.find("A.WAV") == ["a.wav", "A.wav"]
    assert names.find(NFD) == [NFD]
    assert names.find("b.wav") == []


@given(st.lists(st.text("abAB\u00e9\u0301/. ", min_size=1, max_size=6), unique=True))
def test_every_file_is_found_by_its_own_name_alone(names: list[str]) -> None:
    found = FileNames(names)
    for name in names:
        assert found.find(name) == [name]
        assert name in found.find(unicodedata.normalize("NFD", name))


def test_what_only_looks_alike_is_not_found_but_named_with_its_code_points() -> None:
    cyrillic = "c\u0430t.wav"
    names = FileNames(["cat.wav", "dog.wav", "caf\u00e9.wav", "rain - 1.wav"])
    assert names.find(cyrillic) == []
    assert names.look_alike(cyrillic) == "cat.wav"
    assert names.look_alike("cafe.wav") == "caf\u00e9.wav"
    assert names.look_alike("rain\u00a0\u2013\u00a01.wav") == "rain - 1.wav"
    assert names.look_alike("cow.wav") is None
    assert names.look_alike(cyrillic, others={"cat.wav"}) is None
    assert escaped(cyrillic) == r"'c\u0430t.wav'"
