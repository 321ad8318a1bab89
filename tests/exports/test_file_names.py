"""Files are named after recordings, wherever and however these are called."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmodal_kedro.exports.file_names import MAX_NAME_BYTES, mirrored_name

PARTS = st.one_of(
    st.sampled_from(
        ["", ".", "..", "a", "A", "a.txt", "a.TXT", "CON", "con.wav", ".hidden", "a ", "a.", "%2F", "%~", "é"]
    ),
    st.text(st.characters(exclude_categories=[]), max_size=12),
    st.integers(50, 400).map(lambda count: "é" * count),
)
URIS = st.lists(PARTS, min_size=1, max_size=5).map("/".join)


@given(URIS)
def test_a_file_stays_below_its_folder_on_any_system(uri: str) -> None:
    name = mirrored_name(uri, ".txt")
    assert name.endswith(".txt") and len(name.encode()) <= MAX_NAME_BYTES
    for part in name.split("/"):
        assert part and not part.startswith(".") and part[-1] not in ". " and len(part.encode()) < 200
        assert not set(part) & set('<>:"\\|?*') and all(ord(character) >= 32 for character in part)
    assert not PurePosixPath(name).is_absolute()
    assert not PureWindowsPath(name).drive and not PureWindowsPath(name).is_absolute()


@given(st.lists(URIS, min_size=2, max_size=6, unique=True))
def test_two_recordings_never_share_a_file_and_none_is_the_folder_of_another(uris: list[str]) -> None:
    names = [mirrored_name(uri, ".txt") for uri in uris]
    assert len(set(names)) == len(uris)
    folders = {parent for name in names for parent in PurePosixPath(name).parents}
    assert not {PurePosixPath(name) for name in names} & folders


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("a.wav", "a.wav.txt"),
        ("trip/0001.mp4", "trip/0001.mp4.txt"),
        ("a b/\u00e4\u00f6.wav", "a b/\u00e4\u00f6.wav.txt"),
        ("../x.wav", "%2E%2E/x.wav.txt"),
        ("/data/x.wav", "%2F/data/x.wav.txt"),
        ("s3://bucket/x.wav", "s3%3A/%2F/bucket/x.wav.txt"),
        ("C:\\x.wav", "C%3A%5Cx.wav.txt"),
        ("a.txt/b.wav", "a.tx%74/b.wav.txt"),
        ("nul.wav", "%6Eul.wav.txt"),
        ("100%.wav", "100%25.wav.txt"),
        ("a\nb.wav", "a%0Ab.wav.txt"),
    ],
)
def test_plain_names_stay_and_what_is_unsafe_is_written_as_in_urls(uri: str, name: str) -> None:
    assert mirrored_name(uri, ".txt") == name
