"""What is written for users holds: reasons, links, commands and parameters."""

from __future__ import annotations

import inspect
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from kedro.framework.cli.project import run as kedro_run

from tests.project import PROJECT
from tests.test_architecture import PIPELINES, load_config
from xmodal_kedro.cli import reference
from xmodal_kedro.params import Params
from xmodal_kedro.params.places import PLACES
from xmodal_kedro.reasons import REASONS

PAGES = [
    PROJECT / "README.md",
    PROJECT / "CHANGELOG.md",
    PROJECT / "benchmarks/README.md",
    *sorted(PROJECT.glob("docs/*.md")),
]
CURRENT = [page for page in PAGES if page.name != "CHANGELOG.md"]
"""Pages that speak of this version alone."""

LINK = re.compile(r"\]\(([^()\s]+)\)")
REASON = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
COMMAND = re.compile(r"\bkedro run\b[^`\n]*")
SCRIPT = re.compile(r"\bbenchmarks/\w+\.py\b")
QUOTED = re.compile(r"`([^`\n]+)`")


def names(pages: list[Path]) -> list[str]:
    return [page.relative_to(PROJECT).as_posix() for page in pages]


@cache
def parameters() -> dict[str, type[Params]]:
    """The class of every parameter that a node takes."""
    found = {}
    for node in (node for pipeline in PIPELINES.values() for node in pipeline.nodes):
        if any(name.startswith("params:") for name in node.inputs):
            for argument, name in inspect.signature(node.func).bind(*node.inputs).arguments.items():
                if isinstance(name, str) and name.startswith("params:"):  # others are of a starred argument
                    found[name.removeprefix("params:")] = get_type_hints(node.func)[argument]
    return found


@cache
def nodes() -> set[str]:
    """Names of all nodes, with their pipeline's."""
    return {node.name for pipeline in PIPELINES.values() for node in pipeline.nodes}


def parse(command: str) -> dict[str, Any]:
    """What Kedro makes of a command's options. One that takes them from a file is parsed without it."""
    _, _, *options = shlex.split(re.sub(r"--config \S+", "", command), comments=True)
    return dict(kedro_run.make_context("kedro run", options).params)


def test_the_table_of_reasons_is_the_closed_list() -> None:
    section = (PROJECT / "docs/recordings.md").read_text().split("\n## Why a file is not used\n")[1].split("\n## ")[0]
    assert REASON.findall(section) == list(REASONS)


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_relative_links_lead_somewhere(page: Path) -> None:
    links = [link.partition("#")[0] for link in LINK.findall(page.read_text()) if "://" not in link]
    assert [link for link in links if link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", CURRENT, ids=names(CURRENT))
def test_commands_name_pipelines_and_parameters_that_exist(page: Path) -> None:
    for command in COMMAND.findall(page.read_text()):
        given = parse(command)
        assert set(given["pipelines"] or ()) <= PIPELINES.keys(), command
        assert {*given["node_names"], *given["from_nodes"], *given["to_nodes"]} <= nodes(), command
        shipped = load_config(given["env"] or "base")["parameters"]
        for name, value in given["params"].items():
            if name in PLACES:
                assert isinstance(value, str), command
            else:
                parameters()[name].model_validate(shipped[name] | value)


@pytest.mark.parametrize("page", CURRENT, ids=names(CURRENT))
def test_fields_nodes_and_scripts_that_are_named_exist(page: Path) -> None:
    text = page.read_text()
    assert [script for script in SCRIPT.findall(text) if not (PROJECT / script).is_file()] == []
    for name, field in re.findall(r"\b(\w+)\.(\w+)\b", " ".join(QUOTED.findall(text))):
        if name in parameters() and field not in ("yml", "py"):
            assert field in parameters()[name].model_fields or f"{name}.{field}" in nodes(), (
                f"{page.name}: {name}.{field}"
            )


def test_a_wrong_command_would_be_found() -> None:
    assert set(parse("kedro run --to-nodes=clip_videos,clip.clip_videos")["to_nodes"]) - nodes() == {"clip_videos"}
    given = parse('kedro run --env onnx --pipelines=ingest,clop --params "source=./a/**/*.mp4,clip.shards=3"  # note')
    assert set(given["pipelines"]) - PIPELINES.keys() == {"clop"}
    assert given["params"]["source"] == "./a/**/*.mp4"
    with pytest.raises(ValueError, match="shards"):
        parameters()["clip"].model_validate(load_config("onnx")["parameters"]["clip"] | given["params"]["clip"])


def test_the_reference_is_what_the_types_say_of_every_parameter() -> None:
    assert parameters() == reference.SECTIONS
    page = (PROJECT / "docs/reference.md").read_text()
    assert page == reference.render(), "write it anew: python -m xmodal_kedro.cli.reference > docs/reference.md"
