"""The data pipelines on a real Dask cluster, in a shared folder and in an object store: the bytes of a local run."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import dask
import fsspec
import pytest
from distributed import Client
from kedro.io import DatasetError

from tests.dask_cluster import Cluster, running, wait_until
from tests.datasets.jobs import crashing, numbers, slow_numbers
from tests.project import PROJECT, SMALL_WORLD, Project
from tests.storage_servers import BUCKET, s3_server
from xmodal_kedro.datasets.executor import ADDRESS_VARIABLE, Engine
from xmodal_kedro.datasets.sharded import ShardedParquetDataset

DATA_LINE = "--pipelines=ingest,clip,visual_label,audio_label,merge_labels"
LAYERS = ("02_intermediate", "03_primary", "04_feature", "05_model_input")
MACHINE_BOUND = "probes"
"""It remembers when files were modified."""
ON_GPU = ("visual_labels", "audio_labels")


@pytest.fixture(scope="module")
def store() -> Iterator[dict[str, str]]:
    """An object store, as driver and workers find it: in the environment."""
    with s3_server() as options, pytest.MonkeyPatch.context() as environment:
        found = {
            "AWS_ACCESS_KEY_ID": options["key"],
            "AWS_SECRET_ACCESS_KEY": options["secret"],
            "AWS_ENDPOINT_URL": options["endpoint_url"],
            "AWS_DEFAULT_REGION": options["client_kwargs"]["region_name"],
        }
        for name, value in found.items():
            environment.setenv(name, value)
        # Instances are kept by their arguments: one may be left that found no credentials, and none of ours may be.
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        yield found
        fsspec.get_filesystem_class("s3").clear_instance_cache()


@pytest.fixture(scope="module")
def cluster(store: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler, a worker, and one that declares a GPU, for the whole module."""
    with running(tmp_path_factory.mktemp("cluster") / "elsewhere") as cluster:
        cluster.start_scheduler()
        cluster.start_workers()
        cluster.start_workers("--name", "gpu", "--resources", "GPU=1")
        with Client(cluster.address) as client:
            client.wait_for_workers(2, timeout=120)
        yield cluster


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Client]:
    with Client(cluster.address) as client:
        client.wait_for_workers(2, timeout=120)
        yield client


@pytest.fixture(scope="module")
def project(small_run: Project, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose labelling asks for GPUs; the scheduler is named in its configuration."""
    project = Project(tmp_path_factory.mktemp("clustered") / "project", SMALL_WORLD).track_nothing()
    with (project.folder / "conf/sample/globals.yml").open("a") as settings:
        settings.write(f"engine: {{scheduler: '{cluster.address}'}}\nlabel_resources: {{GPU: 1}}\n")
    return project


def reference(small_run: Project) -> Path:
    return small_run.folder / "data" / "sample"


def made(root: str) -> dict[str, bytes]:
    """What the data pipelines made below a data root, by name."""
    fs, top = fsspec.url_to_fs(root)
    fs.invalidate_cache()
    paths = [path for layer in LAYERS for path in fs.find(f"{top}/{layer}")]
    return {path.removeprefix(top): fs.cat_file(path) for path in paths if MACHINE_BOUND not in path.split("/")}


def assert_same(found: dict[str, bytes], wanted: dict[str, bytes], layers: tuple[str, ...]) -> None:
    expected = [name for name in wanted if name.split("/")[1] in layers and "/benchmarks/" not in name]
    assert sorted(found) == sorted(expected)
    assert [name for name, content in found.items() if content != wanted[name]] == []


def workers_of(client: Client, task: str) -> set[str]:
    """Names of the workers that ran tasks whose names begin so."""
    names = {address: worker["name"] for address, worker in client.scheduler_info(n_workers=-1)["workers"].items()}
    ran = {record["worker"] for record in client.get_task_stream() if record["key"].startswith(task)}
    return {str(names.get(address, "dead")) for address in ran}


def kill_one_at_work(client: Client, task: str) -> str:
    """Kill a worker, as the system does when memory is out, while it has a job in hand; gives the job."""
    processes = client.run(os.getpid)

    def freeze() -> str:
        for worker, keys in client.processing().items():
            held = [key for key in keys if key.startswith(task)]
            if held and worker in processes:
                os.kill(processes[worker], signal.SIGSTOP)
                # Its earlier results have been reported by now: a job that it still runs is not finished.
                client.run_on_scheduler(int)
                if held[0] in client.processing()[worker]:
                    os.kill(processes[worker], signal.SIGKILL)
                    return str(held[0])
                os.kill(processes[worker], signal.SIGCONT)
        return ""

    killed: list[str] = []
    wait_until(lambda: killed.append(freeze()) or killed[-1], f"a worker that has {task} in hand")
    return killed[-1]


def test_a_worker_killed_at_work_changes_no_byte_of_a_shared_folder(
    small_run: Project, project: Project, client: Client, tmp_path: Path
) -> None:
    shutil.copytree(reference(small_run) / "01_raw", tmp_path / "shared" / "01_raw")
    place = f"data_root={tmp_path / 'shared'}"
    run = project.popen("kedro", "run", "--env", "sample", "--pipelines=ingest,clip", "--params", place)
    killed = kill_one_at_work(client, "clips-")
    out, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    assert killed.startswith("clips-shard-") and "workers that held shard-" in out
    assert_same(made(str(tmp_path / "shared")), made(str(reference(small_run))), LAYERS[:2])


def test_an_object_store_holds_what_a_folder_does_and_gpu_workers_alone_label(
    small_run: Project, project: Project, client: Client, store: dict[str, str]
) -> None:
    fs = fsspec.filesystem("s3")
    fs.put(str(reference(small_run) / "01_raw"), f"{BUCKET}/sample/01_raw", recursive=True)
    client.get_task_stream(count=1)  # from now on, who ran what is kept
    done = project.run("kedro", "run", "--env", "sample", DATA_LINE, "--params", f"data_root=s3://{BUCKET}/sample")
    assert done.returncode == 0, done.stderr
    assert_same(made(f"s3://{BUCKET}/sample"), made(str(reference(small_run))), LAYERS)
    assert [workers_of(client, task) for task in ON_GPU] == [{"gpu"}, {"gpu"}]
    assert workers_of(client, "clips-") - {"gpu"}


def dataset(folder: Path, **engine: object) -> ShardedParquetDataset:
    return ShardedParquetDataset(path=str(folder), engine=engine)


def test_a_shard_that_kills_its_workers_is_named_and_costs_itself(
    cluster: Cluster, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, cluster.address)
    jobs = {f"shard-{n}": partial(numbers, n, 3) for n in range(4)}
    with pytest.raises(DatasetError, match=r"1 of 5 shards failed[^\n]*\n  poison: its worker process died[^\n]*tcp:"):
        dataset(tmp_path / "shards").save({**jobs, "poison": crashing})
    assert {path.stem for path in (tmp_path / "shards").glob("*.parquet")} == set(jobs)


def test_workers_with_other_code_are_refused_by_name(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "src", tmp_path / "other", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    with (tmp_path / "other/xmodal_kedro/pcm.py").open("a") as source:
        source.write("CHANGED = True\n")
    with running(tmp_path / "cluster") as cluster:
        address = cluster.start_scheduler()
        cluster.start_workers(environment={"PYTHONPATH": str(tmp_path / "other")})
        with Client(address) as client:
            client.wait_for_workers(1, timeout=120)
        with pytest.raises(DatasetError, match=r"1 Dask workers do not have.*\n  tcp:\S+ has the code of xmodal_kedro"):
            dataset(tmp_path / "shards", scheduler=address).save({"shard-all": partial(numbers, 0, 3)})
        assert not list((tmp_path / "shards").glob("*.parquet"))


def test_a_scheduler_that_dies_or_is_not_there_ends_the_run_in_plain_words(tmp_path: Path) -> None:
    killed = threading.Event()

    def kill_once_a_shard_is_stored() -> None:
        wait_until(lambda: list((tmp_path / "shards").glob("*.parquet")), "a shard")
        os.killpg(cluster.scheduler.pid, signal.SIGKILL)
        killed.set()

    jobs = {f"shard-{n:02}": partial(slow_numbers, n, 0.5, str(tmp_path / "log")) for n in range(60)}
    with running(tmp_path / "cluster") as cluster, dask.config.set({"distributed.comm.timeouts.connect": "2s"}):
        address = cluster.start_scheduler()
        cluster.start_workers()
        killer = threading.Thread(target=kill_once_a_shard_is_stored)
        killer.start()
        with pytest.raises(DatasetError, match=r"the Dask scheduler tcp://\S+ was lost: finished shards are kept"):
            dataset(tmp_path / "shards", scheduler=address).save(jobs)
        killer.join()
        assert killed.is_set()
        with pytest.raises(DatasetError, match=r"no Dask scheduler answers at tcp://\S+ .*DASK_SCHEDULER_ADDRESS"):
            dataset(tmp_path / "shards", scheduler=address).save(jobs)


def test_shards_that_only_a_worker_can_see_are_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xmodal_kedro.datasets.sharded.run_all", lambda *_: {})  # as if they lay on another disk
    with pytest.raises(
        DatasetError, match=r"2 of the shards that workers wrote, such as shard-0, .* put data_root on storage that"
    ):
        dataset(tmp_path / "shards").save({f"shard-{n}": partial(numbers, n, 3) for n in range(2)})


@pytest.mark.parametrize(
    ("engine", "variable", "runs_on"),
    [
        ({}, "", "loky"),
        ({}, "tcp://head:8786", "dask"),
        ({"scheduler": "tcp://head:8786"}, "", "dask"),
        ({"backend": "loky"}, "tcp://head:8786", "loky"),
    ],
)
def test_naming_the_scheduler_is_all_that_it_takes(
    engine: dict[str, str], variable: str, runs_on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, variable)
    assert Engine(**engine).runs_on == runs_on  # type: ignore[arg-type]
