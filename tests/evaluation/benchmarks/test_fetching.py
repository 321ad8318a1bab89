"""ESC-50's archive from a server on the loopback device: fetched once, whole or not at all."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from tests.storage_servers import Flaky, flaky, http_server
from xmodal_kedro.errors import UserError
from xmodal_kedro.evaluation.benchmarks.fetching import URL_VARIABLE, fetch_esc50

Rows = list[list[str]]
HEADER = "filename,fold,target,category"


@cache
def rows_of_esc50() -> tuple[tuple[str, ...], ...]:
    """2,000 clips: 50 classes of 8 in each of five folds."""
    return tuple(
        (f"{fold}-{100_000 + 8 * target + take}-A-{target}.wav", str(fold), str(target), f"class {target}")
        for fold in range(1, 6)
        for target in range(50)
        for take in range(8)
    )


def archive(change: Callable[[Rows], Rows] = lambda rows: rows, without: str = "") -> bytes:
    """A zip file as the repository's host makes one."""
    rows = change([list(row) for row in rows_of_esc50()])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as files:
        files.writestr("ESC-50-master/meta/esc50.csv", "\n".join([HEADER, *map(",".join, rows)]))
        files.writestr("ESC-50-master/esc50.gif", b"left out")
        files.writestr("ESC-50-master/../../escaped.wav", b"left out")
        for name in dict.fromkeys(name for name, *_ in rows):
            if name != without:
                files.writestr(f"ESC-50-master/audio/{name}", b"RIFF")
    return packed.getvalue()


@contextmanager
def serving(content: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with http_server(type("Serving", (Flaky,), {"content": content, "downloads": 0})) as url:
        monkeypatch.setenv(URL_VARIABLE, f"{url}/master.zip")
        yield


def test_the_archive_is_fetched_unpacked_and_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "out" / "esc50"
    with serving(archive(), monkeypatch):
        fetch_esc50(str(place))
    fetch_esc50(str(place))
    assert len(list((place / "audio").iterdir())) == 2000
    assert [path.name for path in place.parent.iterdir()] == ["esc50"]
    assert not (place / "esc50.gif").exists()
    assert not list(tmp_path.rglob("escaped.wav"))


def renamed(rows: Rows) -> Rows:
    return [["tone.wav", *rows[0][1:]], *rows[1:]]


def in_another_fold(rows: Rows) -> Rows:
    return [[name, "1" if fold == "2" else "2" if fold == "1" else fold, *rest] for name, fold, *rest in rows]


def of_another_class(rows: Rows) -> Rows:
    return [[*rows[0][:3], "class 1"], *rows[1:]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda: archive(lambda rows: rows[:-1]), "1999 clips"),
        (lambda: archive(lambda rows: [*rows[:-1], rows[0]]), "1999 clips"),
        (lambda: archive(of_another_class), "50 classes of 40"),
        (lambda: archive(lambda rows: [[name, "1", *rest] for name, _, *rest in rows]), "folds"),
        (lambda: archive(in_another_fold), "not named after its fold"),
        (lambda: archive(renamed), "tone.wav"),
        (lambda: archive(without="1-100000-A-0.wav"), "audio/1-100000-A-0.wav is missing"),
        (lambda: b"no archive", "zip"),
        (lambda: archive()[:-1000], "zip"),
    ],
    ids=["fewer", "twice", "class", "folds", "other fold", "name", "missing", "no archive", "cut"],
)
def test_what_is_not_esc50_leaves_nothing_and_is_one_line_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Callable[[], bytes], said: str
) -> None:
    with serving(content(), monkeypatch), pytest.raises(UserError) as error:
        fetch_esc50(str(tmp_path / "out" / "esc50"))
    assert said in str(error.value)
    assert "esc50=FOLDER" in str(error.value)
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "out").iterdir())


def test_a_connection_that_breaks_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_server(flaky(failures=1)) as url, pytest.raises(UserError, match="run again"):
        monkeypatch.setenv(URL_VARIABLE, f"{url}/master.zip")
        fetch_esc50(str(tmp_path / "out" / "esc50"))
    assert not list((tmp_path / "out").iterdir())


def test_without_network_the_address_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, "http://127.0.0.1:9/master.zip")
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9"):
        fetch_esc50(str(tmp_path / "esc50"))


def test_what_a_killed_run_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out" / ".partial-esc50-abc").mkdir(parents=True)
    with serving(archive(), monkeypatch):
        fetch_esc50(str(tmp_path / "out" / "esc50"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["esc50"]
