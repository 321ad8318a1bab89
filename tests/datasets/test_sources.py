"""Any kind of source is listed completely, with names that do not depend on the machine."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pytest
from kedro.io import DatasetError

from tests.storage_servers import BUCKET, http_server, s3_server
from xmodal_kedro.datasets.sources import SourcesDataset

NAMES = ["2024-01/a.mkv", "2024-01/deep/b.mkv", "2024-02/c.mkv", "2024-02/c.srt", "d.mp4"]


def sources(path: object, **options: Any) -> SourcesDataset:
    return SourcesDataset(path=str(path), **options)


def listed(path: object, **options: Any) -> list[str]:
    return list(sources(path, **options).load())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name in [*NAMES, ".hidden.mkv", "2024-02/.cache/e.mkv"]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, Any]]:
    """Credentials of a bucket that holds `NAMES`."""
    with s3_server() as options:
        fs = fsspec.filesystem("s3", **options)
        for name in [*NAMES, ".hidden.mkv", "2024-02/.cache/e.mkv", "odd/a::b c é [1].mp4"]:
            fs.pipe_file(f"{BUCKET}/tree/{name}", name.encode())
        yield {"s3": options}


def test_a_folder_is_listed_with_sizes_and_times_and_without_hidden_files(tree: Path) -> None:
    folder = sources(tree).load()
    assert list(folder) == NAMES
    file, status = folder["2024-01/deep/b.mkv"], (tree / "2024-01/deep/b.mkv").stat()
    assert (file.path, file.size_bytes, file.modified_ns) == (
        str(tree / file.name),
        len(file.name),
        status.st_mtime_ns,
    )
    assert listed(f"{tree}/") == listed(f"file://{tree}") == NAMES


GLOBS = [
    ("*.mp4", ["d.mp4"]),
    ("**/*.mkv", ["2024-01/a.mkv", "2024-01/deep/b.mkv", "2024-02/c.mkv"]),
    ("2024-*/*.mkv", ["2024-01/a.mkv", "2024-02/c.mkv"]),
    ("2024-02/*", ["c.mkv", "c.srt"]),
    ("2024-0[!2]/**", ["2024-01/a.mkv", "2024-01/deep/b.mkv"]),
    ("?.mp4", ["d.mp4"]),
]


@pytest.mark.parametrize(("pattern", "names"), GLOBS)
def test_a_glob_gives_names_relative_to_its_fixed_part(tree: Path, pattern: str, names: list[str]) -> None:
    assert listed(tree / pattern) == names


@pytest.mark.parametrize(("pattern", "names"), GLOBS)
def test_a_glob_matches_the_same_in_an_object_store(s3: dict[str, Any], pattern: str, names: list[str]) -> None:
    assert [name for name in listed(f"s3://{BUCKET}/tree/{pattern}", credentials=s3) if "odd/" not in name] == names


def test_a_folder_whose_name_holds_wildcards_is_that_folder(tree: Path) -> None:
    (tree / "2024-02").rename(tree / "[2024] *")
    assert listed(tree / "[2024] *") == ["c.mkv", "c.srt"]


def test_a_glob_does_not_walk_below_what_it_can_match(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entered = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: entered.append(Path(path).name) or scandir(path))
    listed(tree / "*" / "*.mkv")
    assert entered == ["tree", "2024-01", "2024-02"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_manifest_gives_the_names_that_its_rows_say(tree: Path, suffix: str) -> None:
    rows = ["../d.mp4", str(tree / "2024-01" / "a.mkv"), "gone.mp4", ".cache/e.mkv", "../d.mp4"]
    table = pd.DataFrame({"uri": rows, "label": range(5)})
    path = tree / "2024-02" / f"list{suffix}"
    table.to_csv(path) if suffix == ".csv" else table.to_parquet(path)
    folder = sources(path).load()
    assert list(folder) == sorted(set(rows))
    assert folder["../d.mp4"].read_bytes() == b"d.mp4"
    assert folder[".cache/e.mkv"].read_bytes() == b"2024-02/.cache/e.mkv"
    assert folder["gone.mp4"].size_bytes == 0


def test_the_order_of_a_manifest_does_not_count(tree: Path) -> None:
    rows = list(NAMES)
    for seed in range(3):
        random.Random(seed).shuffle(rows)
        (tree / "list.csv").write_text("\n".join(["uri", *rows]))
        assert listed(tree / "list.csv") == NAMES


def test_a_single_file_has_its_own_name(tree: Path) -> None:
    assert listed(tree / "2024-01" / "deep" / "b.mkv") == ["b.mkv"]


def test_odd_names_are_local_names_and_can_be_written_in_tables(tmp_path: Path) -> None:
    names = ["a::b.mp4", "concat:a|b.mp4", "http:b.mp4", "two\nlines.mp4", "with space .mp4", "ü.mp4"]
    for name in names:
        (tmp_path / name).write_text(name)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4")).write_text("latin")
    folder = sources(tmp_path).load()
    assert set(folder) == {*names, r"caf\xe9.mp4"}
    assert all(folder[name].read_bytes() == name.encode() for name in names)
    assert folder[r"caf\xe9.mp4"].read_bytes() == b"latin"
    (tmp_path / "list.csv").write_text("uri\n" + "\n".join(f'"{name}"' for name in names))
    assert all(file.read_bytes() == name.encode() for name, file in sources(tmp_path / "list.csv").load().items())
    (tmp_path / r"caf\xe9.mp4").write_text("its double")
    with pytest.raises(DatasetError, match=r"listed as .*rename it"):
        listed(tmp_path)


def test_linked_folders_are_entered_once_and_broken_links_stay_sources(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "e.mp4").write_text("e")
    (tmp_path / "elsewhere" / "back").symlink_to(tree)
    (tree / "linked").symlink_to(tmp_path / "elsewhere")
    (tree / "nowhere.mp4").symlink_to(tree / "gone")
    assert listed(tree) == [*NAMES, "linked/e.mp4", "nowhere.mp4"]
    assert sources(tree).load()["nowhere.mp4"].size_bytes == 0


def test_a_folder_that_cannot_be_listed_stays_a_source(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if path.endswith("deep"):
            raise PermissionError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    folder = sources(tree).load()
    assert "2024-01/deep" in folder
    with pytest.raises(OSError, match="2024-01/deep"):
        folder["2024-01/deep"].read_bytes()


def test_a_run_lists_once_until_release(tree: Path) -> None:
    data = sources(tree)
    assert data.exists()
    (tree / "new.mp4").write_text("new")
    assert list(data.load()) == NAMES
    data.release()
    assert list(data.load()) == [*NAMES, "new.mp4"]


def test_an_empty_address_does_not_mean_the_current_folder(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    data = SourcesDataset(path=" ")
    with pytest.raises(DatasetError, match="address is empty"):
        data.load()


@pytest.mark.parametrize("place", ["nowhere", "empty", "tree/*.flac", "nowhere/*.mp4", "nowhere/list.csv"])
def test_a_source_without_files_is_an_error(tree: Path, place: str) -> None:
    (tree.parent / "empty").mkdir()
    data = sources(tree.parent / place)
    assert not data.exists()
    with pytest.raises(DatasetError, match=r"no file at .*" + place.replace("*", r"\*") + ": check the address"):
        data.load()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/data/**.mp4", r"/data/\*\*.mp4 is not a glob .*put \*\* between slashes"),
        ("ftp://host/videos", r"cannot list ftp://host/videos .*the protocol ftp is not on the list of safe ones"),
        ("simplecache::s3://b/videos", r"the protocol simplecache::s3 is not on the list of safe ones"),
        ("gs://bucket/videos", r"cannot list gs://bucket/videos \(ImportError: .*gcsfs.*driver is installed"),
        ("s3://*/videos", r"cannot list s3://\*/videos \(.*Invalid bucket name"),
    ],
)
def test_an_address_that_cannot_be_used_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, path: str, said: str
) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(DatasetError, match=said) as raised:
        listed(path)
    assert "\n" not in str(raised.value)


def test_credentials_that_are_not_by_protocol_are_refused_without_showing_them() -> None:
    with pytest.raises(DatasetError, match=r"put them below their protocol, such as `s3: \{key") as raised:
        listed("s3://bucket", credentials={"key": "name", "secret": "hush"})
    assert "hush" not in str(raised.value)


def test_a_users_recordings_are_never_written(tree: Path) -> None:
    with pytest.raises(DatasetError, match="nothing is written there"):
        sources(tree).save({"a.mp4": b"a"})


def test_an_object_store_is_listed_by_folder_and_by_file(s3: dict[str, Any]) -> None:
    folder = sources(f"s3://{BUCKET}/tree", credentials=s3).load()
    assert list(folder) == [*NAMES, "odd/a::b c é [1].mp4"]
    assert listed(f"s3://{BUCKET}/tree/", credentials=s3) == list(folder)
    assert all(file.read_bytes() == name.encode() for name, file in folder.items())
    assert all(
        file.size_bytes == len(name.encode()) and file.modified_ns and file.version for name, file in folder.items()
    )
    assert listed(f"s3://{BUCKET}/tree/2024-01/a.mkv", credentials=s3) == ["a.mkv"]
    assert "some-secret" not in repr(folder["d.mp4"])


def test_an_object_that_changes_has_another_mark(s3: dict[str, Any]) -> None:
    def mark(content: bytes) -> str:
        fsspec.filesystem("s3", **s3["s3"]).pipe_file(f"{BUCKET}/changing/a.mp4", content)
        return sources(f"s3://{BUCKET}/changing", credentials=s3).load()["a.mp4"].listing_mark

    assert mark(b"one") != mark(b"two")


def test_a_whole_bucket_is_listed_with_as_many_requests_as_there_are_pages(
    s3: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from s3fs import S3FileSystem

    asked: list[str] = []
    call = S3FileSystem._iterdir

    def count(self: S3FileSystem, *args: Any, **options: Any) -> Any:
        asked.append(options["prefix"])
        return call(self, *args, **options)

    monkeypatch.setattr(S3FileSystem, "_iterdir", count)
    listed(f"s3://{BUCKET}/tree", credentials=s3)
    listed(f"s3://{BUCKET}/tree/2024-*/*.mkv", credentials=s3)
    assert asked == ["tree/", "tree/2024-"]


def test_manifests_may_lie_in_a_store_or_name_it(s3: dict[str, Any], tmp_path: Path) -> None:
    rows = ["../tree/d.mp4", f"s3://{BUCKET}/tree/2024-01/a.mkv", f"s3://{BUCKET}/tree/gone.mkv"]
    text = "\n".join(["uri", *rows])
    fsspec.filesystem("s3", **s3["s3"]).pipe_file(f"{BUCKET}/lists/list.csv", text.encode())
    there = sources(f"s3://{BUCKET}/lists/list.csv", credentials=s3).load()
    assert {name: file.size_bytes for name, file in there.items()} == dict(zip(rows, (5, 13, 0), strict=True))
    assert there["../tree/d.mp4"].read_bytes() == b"d.mp4"
    (tmp_path / "list.csv").write_text(text)
    here = sources(tmp_path / "list.csv", credentials=s3).load()
    assert here[rows[1]] == there[rows[1]]
    assert here[rows[1]].version
    assert here[rows[0]].size_bytes == 0


def test_addresses_of_forbidden_protocols_are_listed_and_not_opened(tmp_path: Path, s3: dict[str, Any]) -> None:
    class Witness(SimpleHTTPRequestHandler):
        requests = 0

        def parse_request(self) -> bool:
            type(self).requests += 1
            return super().parse_request()

    with http_server(Witness) as address:
        rows = ["ftp://host/a.mp4", f"simplecache::{address}/a.mp4", f"zip://a.mp4::{address}/a.zip", "reference://a"]
        (tmp_path / "list.csv").write_text("\n".join(["uri", *rows]))
        folder = sources(tmp_path / "list.csv", credentials=s3).load()
    assert {name: (file.path, file.size_bytes) for name, file in folder.items()} == {row: (row, 0) for row in rows}
    assert Witness.requests == 0


def test_a_row_that_cannot_be_reached_in_any_way_costs_itself_alone(tree: Path, tmp_path: Path) -> None:
    wrong = [
        *("http://[::1/a.wav", "http://host\\@127.0.0.1/a.wav", "http://127.0.0.1:99999/a.wav", "https:///a.wav"),
        *("gs://bucket/a.wav", "az://bucket/a.wav", "sftp://127.0.0.1:9/a.wav", "sftp://127.0.0.1:99999/a.wav"),
    ]
    secrets = {"http": {"127.0.0.1:9": {"headers": {"X-Api-Key": "some-key"}}}}
    (tmp_path / "list.csv").write_text("\n".join(["uri", *wrong, str(tree / "d.mp4")]))
    folder = sources(tmp_path / "list.csv", credentials=secrets).load()
    names = [row.replace("host\\@", "***@") for row in wrong]
    assert {name: file.size_bytes for name, file in folder.items()} == dict.fromkeys(names, 0) | {
        str(tree / "d.mp4"): 5
    }
    for name in names:
        with pytest.raises(OSError, match="it cannot be fetched"), folder[name].fetched():
            pass


def test_the_password_of_a_row_changes_the_name_of_no_other(tmp_path: Path) -> None:
    rows = ["http://127.0.0.1:9/recordings/a.wav", "http://me:recordings@127.0.0.1:9/b.wav"]
    names = []
    for order in (rows, rows[::-1]):
        (tmp_path / "list.csv").write_text("\n".join(["uri", *order]))
        names.append([*sources(tmp_path / "list.csv").load()])
    assert names == [["http://***@127.0.0.1:9/b.wav", "http://127.0.0.1:9/recordings/a.wav"]] * 2


def test_one_storages_keys_are_not_sent_to_another(tmp_path: Path, s3: dict[str, Any]) -> None:
    (tmp_path / "list.csv").write_text(f"uri\nhttp://127.0.0.1:9/a.mp4\ns3://{BUCKET}/tree/d.mp4\n")
    folder = sources(tmp_path / "list.csv", credentials=s3).load()
    assert folder["http://127.0.0.1:9/a.mp4"].storage_options == {}
    assert folder[f"s3://{BUCKET}/tree/d.mp4"].storage_options == s3["s3"]


def test_a_web_server_is_listed_by_its_pages_and_asked_for_sizes(tree: Path, tmp_path: Path) -> None:
    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(tree))

        def log_message(self, *args: object) -> None:
            pass

    with http_server(Quiet) as address:
        folder = sources(f"{address}/").load()
        assert {name: file.size_bytes for name, file in folder.items()} == {name: len(name) for name in NAMES}
        (tmp_path / "list.csv").write_text(f"uri\n{address}/d.mp4\n{address}/gone.mp4\n")
        assert [file.size_bytes for file in sources(tmp_path / "list.csv").load().values()] == [5, 0]
        assert listed(f"{address}/d.mp4") == ["d.mp4"]


@pytest.mark.parametrize(
    ("written", "called"),
    [
        ("trip\\a.mp4", "trip/a.mp4"),
        ("trip/a.mp4 ", "trip/a.mp4"),
        ("k\u00fcche/a.mp4", "ku\u0308che/a.mp4"),
        ("ku\u0308che/a.mp4", "k\u00fcche/a.mp4"),
    ],
)
def test_a_row_of_a_manifest_finds_a_local_file_that_it_spells_in_another_way(
    tmp_path: Path, written: str, called: str
) -> None:
    (tmp_path / called).parent.mkdir()
    (tmp_path / called).write_bytes(b"some bytes")
    (tmp_path / "list.csv").write_text(f"uri\n{written}\nmissing.mp4\n")
    found = sources(tmp_path / "list.csv").load()
    assert found[written].path == str(tmp_path / called)
    assert found["missing.mp4"].size_bytes == 0
