import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server, socket

import pytest
from huggingface_hub import constants

from tests.fakes import folder_of
from tests.teachers.fixtures import COLOURS, seeing_card, write_vit
from xmodal_kedro.teachers import hub
from xmodal_kedro.teachers.opening import check_teacher, teacher_classes, teacher_files

MODEL = "someone/vit-small"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """A hub on this machine with one model, as far as a download asks."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), HubRequest)
        self.folder = folder
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class HubRequest(BaseHTTPRequestHandler):
    """Answers the three questions of a download: which commit, which files, what is in them."""

    server: Hub

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, *_: object) -> None: ...

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(path.rpartition("/")[2])
        files = {file.name: file.read_bytes() for file in self.server.folder.iterdir()}
        served = {
            f"/api/models/{MODEL}/revision/main": json.dumps({"id": MODEL, "sha": COMMIT}).encode(),
            f"/api/models/{MODEL}/tree/{COMMIT}": json.dumps(
                [{"type": "file", "path": name, "size": len(body), "oid": f"{name}-1"} for name, body in files.items()]
            ).encode(),
            **{f"/{MODEL}/resolve/{COMMIT}/{name}": body for name, body in files.items()},
        }
        body = served.get(path, b"")
        self.send_response(200 if path in served else 404)
        if path not in served:
            known = path.startswith(f"/api/models/{MODEL}/")
            self.send_header("X-Error-Code", "RevisionNotFound" if known else "RepoNotFound")
        self.send_header("ETag", f'"{path.rpartition("/")[2]}-1"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)


def take_as_hub(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """What the environment variable `HF_ENDPOINT` does for a new process."""
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache of the hub, and the URL of a hub without a server."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    hub._snapshot.cache_clear()
    with socket() as held:  # bound, so that no other program gets the port, and deaf
        held.bind(("127.0.0.1", 0))
        take_as_hub(monkeypatch, f"http://127.0.0.1:{held.getsockname()[1]}")
        yield tmp_path / "cache"
    hub._snapshot.cache_clear()


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    write_vit(tmp_path / "published")
    (tmp_path / "published" / "pytorch_model.bin").write_bytes(b"a pickle")
    (tmp_path / "published" / "model_code.py").write_text("raise SystemExit")
    with Hub(tmp_path / "published") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        take_as_hub(monkeypatch, server.url)
        yield server
        server.shutdown()


def put_into_cache(cache: Path, revision: str = "main") -> None:
    """A model as the hub's own tools leave it in their cache."""
    model = cache / f"models--{MODEL.replace('/', '--')}"
    write_vit(model / "snapshots" / COMMIT)
    (model / "refs").mkdir()
    (model / "refs" / revision).write_text(COMMIT)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    (tmp_path / "teachers").mkdir()
    return tmp_path / "teachers"


def test_a_model_of_the_hub_is_fetched_once_without_pickles_and_code(served: Hub, empty: Path) -> None:
    card = seeing_card(weights=MODEL)
    check_teacher(card, folder_of(empty))
    assert tuple(named.label for named in teacher_classes(card, folder_of(empty))) == COLOURS
    names = [file.name for file in teacher_files(card, folder_of(empty)).weights]
    assert names == ["config.json", "model.safetensors", "preprocessor_config.json"]
    assert set(names) < set(served.asked)
    assert not {"pytorch_model.bin", "model_code.py"} & set(served.asked)
    served.asked.clear()
    hub._snapshot.cache_clear()
    teacher_files(card, folder_of(empty))
    assert not served.asked


@pytest.mark.parametrize("revision", ["main", "v2", COMMIT])
def test_a_model_in_the_cache_needs_no_network(cache: Path, empty: Path, revision: str) -> None:
    put_into_cache(cache, revision)
    card = seeing_card(weights=MODEL, revision=revision)
    check_teacher(card, folder_of(empty))
    assert tuple(named.label for named in teacher_classes(card, folder_of(empty))) == COLOURS


def test_a_folder_of_that_name_in_the_teachers_folder_comes_first(served: Hub, empty: Path) -> None:
    write_vit(empty / MODEL, names=("cat", "dog"))
    assert [named.label for named in teacher_classes(seeing_card(weights=MODEL), folder_of(empty))] == ["cat", "dog"]
    assert not served.asked


def refusal(folder: Path, weights: str = MODEL, revision: str = "main") -> str:
    with pytest.raises(FileNotFoundError) as error:
        check_teacher(seeing_card(weights=weights, revision=revision), folder_of(folder))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_without_network_one_line_says_where_it_was_sought_and_how_to_fetch_it(cache: Path, empty: Path) -> None:
    message = refusal(empty)
    assert f"no model '{MODEL}': {empty}" in message
    assert f"in the hub's cache ({cache})" in message
    assert "(ConnectError" in message
    assert f'run `hf download {MODEL} --revision main --include "config.json" --include' in message
    assert f"put the folder {MODEL} into {empty}" in message


def test_offline_mode_is_named(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in refusal(empty)


def test_what_the_hub_does_not_have_is_named_after_one_question(served: Hub, empty: Path) -> None:
    assert "the hub has no such model" in refusal(empty, weights="someone/else")
    assert served.asked == ["main"]
    assert "the hub has no such revision" in refusal(empty, revision="v9")
    assert served.asked == ["main", "v9"]
    assert "not a valid model id" in refusal(empty, weights="my/models/vit")
    assert served.asked == ["main", "v9"]


def calls(listener: socket) -> int:
    """How many connections wait to be accepted."""
    listener.setblocking(False)
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            count += 1
    return count


def test_a_hub_that_never_answers_is_given_up_after_one_call(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "TIMEOUT_S", 0.5)
    with create_server(("127.0.0.1", 0)) as silent:
        take_as_hub(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert "(ReadTimeout" in refusal(empty)
        assert calls(silent) == 1


def test_a_model_without_safetensors_is_refused(served: Hub, empty: Path) -> None:
    (served.folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"no model\*.safetensors: .* name a model or revision that has safetensors"):
        check_teacher(seeing_card(weights=MODEL), folder_of(empty))
