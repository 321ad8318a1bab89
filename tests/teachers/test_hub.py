import contextlib
import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from socket import create_server, socket
from typing import Any

import pytest
from huggingface_hub import constants

from tests.fakes import folder_of
from tests.hub_server import COMMIT, LATER_COMMIT, Hub, Published, served
from tests.teachers.fixtures import COLOURS, seeing_card, write_vit
from xmodal_kedro.datasets.folder import FolderDataset
from xmodal_kedro.datasets.note import JsonNote
from xmodal_kedro.storage import FileRef, Folder
from xmodal_kedro.teachers import hub, hub_download
from xmodal_kedro.teachers.opening import check_teacher, teacher_classes, teacher_files

MODEL = "someone/vit-small"
WEIGHTS = "model.safetensors"
MODEL_NAMES = ("config.json", WEIGHTS, "preprocessor_config.json")


def take_as_hub(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """What the environment variable `HF_ENDPOINT` does for a new process."""
    monkeypatch.setattr(constants, "ENDPOINT", url)
    # As the project's settings have it: else the first call of a process asks for one more page.
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")


def start_anew() -> None:
    """Forget what a process has asked and said, as a new one does."""
    hub._snapshot.cache_clear()
    hub._say.cache_clear()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache of the hub, and the URL of a hub without a server."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    start_anew()
    with socket() as held:  # bound, so that no other program gets the port, and deaf
        held.bind(("127.0.0.1", 0))
        take_as_hub(monkeypatch, f"http://127.0.0.1:{held.getsockname()[1]}")
        yield tmp_path / "cache"
    start_anew()


@pytest.fixture
def hub_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    write_vit(tmp_path / "published")
    (tmp_path / "published" / "pytorch_model.bin").write_bytes(b"a pickle")
    (tmp_path / "published" / "model_code.py").write_text("raise SystemExit")
    with served({MODEL: Published({COMMIT: tmp_path / "published"})}) as server:
        take_as_hub(monkeypatch, server.url)
        yield server


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


def test_a_model_of_the_hub_is_fetched_once_without_pickles_and_code(hub_server: Hub, empty: Path) -> None:
    card = seeing_card(weights=MODEL)
    check_teacher(card, folder_of(empty))
    assert tuple(named.label for named in teacher_classes(card, folder_of(empty))) == COLOURS
    names = [file.name for file in teacher_files(card, folder_of(empty)).weights]
    assert names == ["config.json", "model.safetensors", "preprocessor_config.json"]
    assert set(names) < set(hub_server.asked)
    assert not {"pytorch_model.bin", "model_code.py"} & set(hub_server.asked)
    hub_server.asked.clear()
    start_anew()
    teacher_files(card, folder_of(empty))
    assert not hub_server.asked


@pytest.mark.parametrize("revision", ["main", "v2", COMMIT])
def test_a_model_in_the_cache_needs_no_network(cache: Path, empty: Path, revision: str) -> None:
    put_into_cache(cache, revision)
    card = seeing_card(weights=MODEL, revision=revision)
    check_teacher(card, folder_of(empty))
    assert tuple(named.label for named in teacher_classes(card, folder_of(empty))) == COLOURS


def test_a_folder_of_that_name_in_the_teachers_folder_comes_first(hub_server: Hub, empty: Path) -> None:
    write_vit(empty / MODEL, names=("cat", "dog"))
    assert [named.label for named in teacher_classes(seeing_card(weights=MODEL), folder_of(empty))] == ["cat", "dog"]
    assert not hub_server.asked


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
    assert "correct weights" not in refusal(empty)


def test_what_the_hub_does_not_have_is_named_after_one_question(hub_server: Hub, empty: Path) -> None:
    assert "the hub has no such model" in refusal(empty, weights="someone/else")
    assert hub_server.asked == ["main"]
    assert "the hub has no such revision" in refusal(empty, revision="v9")
    assert hub_server.asked == ["main", "v9"]
    assert "not a valid model id" in refusal(empty, weights="my/models/vit")
    assert hub_server.asked == ["main", "v9"]


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
    monkeypatch.setattr(hub_download, "TIMEOUT_S", 0.5)
    with create_server(("127.0.0.1", 0)) as silent:
        take_as_hub(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert "(ReadTimeout" in refusal(empty)
        assert calls(silent) == 1


def test_a_model_without_safetensors_is_refused(hub_server: Hub, empty: Path) -> None:
    (hub_server.models[MODEL].commits[COMMIT] / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"no model\*.safetensors: .* name a model or revision that has safetensors"):
        check_teacher(seeing_card(weights=MODEL), folder_of(empty))


def noted(folder: Path, note: Path) -> Folder:
    """A teacher's folder of which is noted what labels."""
    return Folder(str(folder), dict(folder_of(folder)), JsonNote(str(note)))


def weights_of(folder: Folder, **changes: Any) -> FileRef:
    return next(
        file for file in teacher_files(seeing_card(weights=MODEL, **changes), folder).weights if file.name == WEIGHTS
    )


def publish_another(hub_server: Hub, folder: Path) -> None:
    """Move `main` on to other weights."""
    write_vit(folder, seed=1)
    model = hub_server.models[MODEL]
    model.commits[LATER_COMMIT] = folder
    model.branches["main"] = LATER_COMMIT


def test_sizes_commit_and_licence_are_told_before_a_download(hub_server: Hub, empty: Path, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    teacher_files(seeing_card(weights=MODEL), folder_of(empty))
    size_mb = sum((hub_server.models[MODEL].commits[COMMIT] / name).stat().st_size for name in MODEL_NAMES) / 1e6
    assert f"{size_mb:.1f} MB in 3 files, licence apache-2.0" in caplog.text
    assert COMMIT in caplog.text
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


@pytest.mark.parametrize("licence", ["cc-by-nc-4.0", "openrail", "other", None])
def test_a_licence_that_may_restrict_use_is_shown_and_not_decided(
    hub_server: Hub, empty: Path, caplog: Any, licence: str | None
) -> None:
    hub_server.models[MODEL].licence = licence
    assert len(teacher_files(seeing_card(weights=MODEL), folder_of(empty)).weights) == 3
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert (licence or "no licence") in warning
    assert hub_server.url in warning


def test_a_connection_that_breaks_off_is_taken_up_again(hub_server: Hub, empty: Path) -> None:
    hub_server.models[MODEL].cut[WEIGHTS] = [1000]
    check_teacher(seeing_card(weights=MODEL), folder_of(empty))
    assert hub_server.models[MODEL].cut[WEIGHTS] == []  # it did break off
    whole = hub_server.models[MODEL].commits[COMMIT] / WEIGHTS
    (fetched,) = [
        file for file in teacher_files(seeing_card(weights=MODEL), folder_of(empty)).weights if file.name == WEIGHTS
    ]
    assert fetched.read_bytes() == whole.read_bytes()


def test_of_a_broken_download_nothing_is_used_and_the_next_run_goes_on(hub_server: Hub, empty: Path) -> None:
    hub_server.models[MODEL].truncated.add(WEIGHTS)
    assert "run again" in refusal(empty)
    start_anew()
    assert "run again" in refusal(empty)
    hub_server.models[MODEL].truncated.clear()
    hub_server.asked.clear()
    start_anew()
    check_teacher(seeing_card(weights=MODEL), folder_of(empty))
    assert hub_server.asked.count("config.json") == 0


def test_a_commit_that_the_hub_does_not_have_is_named(hub_server: Hub, empty: Path) -> None:
    message = refusal(empty, revision="f" * 40)
    assert "the hub has no such revision" in message
    assert "f" * 40 in message


def test_a_gated_model_is_named_with_its_remedy(hub_server: Hub, empty: Path) -> None:
    hub_server.models[MODEL].gated = True
    assert "hf auth login" in refusal(empty)


def test_what_main_was_is_noted_and_asked_for_from_then_on(
    hub_server: Hub, empty: Path, tmp_path: Path, cache: Path
) -> None:
    note = tmp_path / "out" / "visual_model.json"
    first = weights_of(noted(empty, note)).sha256
    facts = json.loads(note.read_text())
    assert (facts["name"], facts["revision"], facts["commit"]) == (MODEL, "main", COMMIT)
    assert facts["licence"] == "apache-2.0"
    publish_another(hub_server, tmp_path / "later")
    shutil.rmtree(cache)
    start_anew()
    assert weights_of(noted(empty, note)).sha256 == first
    note.unlink()
    shutil.rmtree(cache)
    start_anew()
    assert weights_of(noted(empty, note)).sha256 != first
    assert json.loads(note.read_text())["commit"] == LATER_COMMIT


def test_another_revision_in_the_card_replaces_the_note(hub_server: Hub, empty: Path, tmp_path: Path) -> None:
    note = tmp_path / "visual_model.json"
    first = weights_of(noted(empty, note)).sha256
    publish_another(hub_server, tmp_path / "later")
    assert weights_of(noted(empty, note), revision=LATER_COMMIT).sha256 != first
    assert json.loads(note.read_text())["commit"] == LATER_COMMIT


def test_a_commit_that_is_noted_and_gone_is_named(hub_server: Hub, empty: Path, tmp_path: Path, cache: Path) -> None:
    note = tmp_path / "visual_model.json"
    weights_of(noted(empty, note))
    publish_another(hub_server, tmp_path / "later")
    del hub_server.models[MODEL].commits[COMMIT]
    shutil.rmtree(cache)
    start_anew()
    with pytest.raises(FileNotFoundError, match=COMMIT):
        weights_of(noted(empty, note))


@pytest.fixture
def larger(hub_server: Hub, tmp_path: Path) -> str:
    """A model for machines with CUDA, on the hub too."""
    write_vit(tmp_path / "large", seed=2)
    hub_server.models["someone/vit-large"] = Published({COMMIT: tmp_path / "large"})
    return "someone/vit-large"


@pytest.mark.parametrize("has_cuda", [False, True])
def test_the_model_is_chosen_by_the_machine_and_kept_on_another_one(
    hub_server: Hub, empty: Path, tmp_path: Path, larger: str, monkeypatch: pytest.MonkeyPatch, has_cuda: bool
) -> None:
    note = tmp_path / "visual_model.json"
    monkeypatch.setattr(hub, "_has_cuda", lambda: has_cuda)
    chosen = weights_of(noted(empty, note), on_cuda={"weights": larger}).sha256
    assert json.loads(note.read_text())["name"] == (larger if has_cuda else MODEL)
    monkeypatch.setattr(hub, "_has_cuda", lambda: not has_cuda)
    assert weights_of(noted(empty, note), on_cuda={"weights": larger}).sha256 == chosen
    assert weights_of(folder_of(empty), on_cuda={"weights": larger}).sha256 != chosen


def test_of_two_models_the_one_that_lies_in_the_folder_is_taken(
    hub_server: Hub, empty: Path, larger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_vit(empty / MODEL)
    monkeypatch.setattr(hub, "_has_cuda", lambda: True)
    weights_of(folder_of(empty), on_cuda={"weights": larger})
    assert not hub_server.asked


def test_a_folder_as_the_hubs_own_tool_writes_it_needs_no_network(empty: Path, tmp_path: Path) -> None:
    write_vit(empty / MODEL)
    (empty / MODEL / ".cache" / "huggingface").mkdir(parents=True)
    (empty / MODEL / ".cache" / "huggingface" / ".gitignore").write_text("*")
    folder = FolderDataset(path=str(empty), note=str(tmp_path / "note.json")).load()
    check_teacher(seeing_card(weights=MODEL), folder)
    assert json.loads((tmp_path / "note.json").read_text())["commit"] == ""
