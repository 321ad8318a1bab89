"""Stubs of the stages of `dvc.yaml`: each writes its declared outputs as hashes of its inputs.

Run as a program, this file is such a stage. It uses the standard library only, so all stages take seconds.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DESCRIBED = Path("stages.json")
"""The stages of `dvc.yaml`, below a project."""


def stub_stages(project: Path) -> None:
    """Make the stages of a project's `dvc.yaml` run this file instead of Kedro."""
    import yaml

    path = project / "dvc.yaml"
    run = f"{sys.executable} -I -S {Path(__file__).resolve()}"
    text = re.sub(r"cmd: kedro run .*--pipelines=(\w+)", rf"cmd: {run} \1", path.read_text())
    path.write_text(re.sub(r"^ +deps:\n(?= +params:)", "", re.sub(r"^ +- src/.*\n", "", text, flags=re.M), flags=re.M))
    described = yaml.safe_load(path.read_text())
    stages = json.dumps(described["stages"]).replace("${root}", described["vars"][0]["root"])
    (project / DESCRIBED).write_text(stages)


def named(items: list[Any]) -> Iterator[tuple[str, Any]]:
    """DVC's list of names, some with options."""
    for item in items:
        yield from item.items() if isinstance(item, dict) else [(item, {})]


def digest_of(stage: dict[str, Any]) -> str:
    digest = hashlib.md5()
    for place in [*stage.get("deps", []), *(file for file, _ in named(stage.get("params", [])))]:
        for file in sorted(Path(place).rglob("*")) if Path(place).is_dir() else [Path(place)]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(file.as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


def write(path: Path, is_folder: bool, digest: str) -> None:
    share = int(digest[:8], 16) / 16**8
    texts = {
        "training_history.csv": f"epoch,train_loss,validation_loss,validation_map\n0,0.7,0.7,0\n1,0.6,0.6,{share}\n",
        "class_accuracies.csv": f"category,accuracy\ndog,{share}\nrain,1.0\n",
        "confusion_pairs.csv": "truth,predicted\ndog,dog\nrain,rain\n",
    }
    files = [path / f"shard-{shard}.parquet" for shard in (0, 1)] if is_folder else [path]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        numbers = json.dumps({"share": share}) if file.suffix == ".json" else f"{file} {digest}"
        file.write_text(texts.get(file.name, numbers))


def main() -> None:
    name, *chosen = sys.argv[1:]
    model = chosen[-1].partition("=")[2] if chosen else ""
    stage = json.loads(json.dumps(json.loads(DESCRIBED.read_text())[name]).replace("${item.model}", model))
    digest = digest_of(stage)
    for place, options in named([*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])]):
        write(Path(place), bool(options.get("persist")), digest)


if __name__ == "__main__":
    main()
