import subprocess
import sys
from dataclasses import replace
from functools import partial, wraps

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.datasets.jobs import doubled, numbers
from tests.fakes import MemoryShard
from tests.project import PROJECT
from xmodal_kedro import recipes
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.params import ClipParams
from xmodal_kedro.recipes import recipe, recipe_of
from xmodal_kedro.schemas.shard_checks import CheckedShardJob

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@recipe("probe of test_fingerprint", version=1)
def probe(value: object) -> None:
    """Takes any argument."""


def test_a_fingerprint_is_the_same_in_another_process() -> None:
    script = (
        "from functools import partial; from tests.datasets.jobs import numbers; "
        "from xmodal_kedro.datasets.fingerprint import fingerprint; print(fingerprint(partial(numbers, 3, count=4)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == fingerprint(partial(numbers, 3, count=4))


def test_how_a_result_is_stored_counts() -> None:
    assert fingerprint(partial(numbers, 1, 2), {"compression": "none"}) != fingerprint(partial(numbers, 1, 2))


@given(plain, plain)
def test_fingerprints_are_equal_exactly_when_arguments_are(one: object, other: object) -> None:
    same = fingerprint(partial(probe, one)) == fingerprint(partial(probe, other))
    assert same == (written_out(one) == written_out(other))


def written_out(value: object) -> str:
    """`repr`, with the items of mappings in order of their keys."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {written_out(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written_out, value)) + "]"
    return repr(value)


def test_the_recipe_counts() -> None:
    assert fingerprint(partial(numbers, 1, 2)) != fingerprint(partial(probe, 1))


def test_the_version_of_the_recipe_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(partial(probe, 1))
    monkeypatch.setattr(probe, "recipe", replace(recipe_of(probe), version=2))
    assert fingerprint(partial(probe, 1)) != before


def test_the_versions_of_its_libraries_count_but_for_patch_releases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "recipe", replace(recipe_of(probe), libraries=("av",)))
    found = {}
    for version in ("18.1.0", "18.1.3+cu130", "18.2.0"):
        recipes._version.cache_clear()
        monkeypatch.setattr("importlib.metadata.version", lambda _, version=version: version)
        found[version] = fingerprint(partial(probe, 1))
    recipes._version.cache_clear()
    assert found["18.1.0"] == found["18.1.3+cu130"] != found["18.2.0"]


def test_names_of_functions_and_modules_do_not_count() -> None:
    @wraps(probe)
    def renamed(value: object) -> None:
        """Carries the same recipe."""

    renamed.__module__, renamed.__qualname__ = "elsewhere", "renamed"
    assert fingerprint(partial(renamed, 1)) == fingerprint(partial(probe, 1))


def test_arguments_count_by_name_however_they_are_passed() -> None:
    assert fingerprint(partial(probe, 1)) == fingerprint(partial(probe, value=1))


def test_a_function_without_a_recipe_is_refused() -> None:
    with pytest.raises(TypeError, match="has no recipe"):
        fingerprint(partial(written_out, 1))


def test_typed_parameters_count_by_value_whether_set_or_default() -> None:
    assert fingerprint(partial(probe, ClipParams())) == fingerprint(partial(probe, ClipParams(min_s=3.0)))
    assert fingerprint(partial(probe, ClipParams())) != fingerprint(partial(probe, ClipParams(min_s=3.5)))


def test_parameters_that_change_no_result_do_not_count() -> None:
    assert fingerprint(partial(probe, ClipParams())) == fingerprint(partial(probe, ClipParams(shard_mb=8)))


def test_a_shard_counts_by_its_own_fingerprint() -> None:
    one, same, other = (MemoryShard(pa.table({"number": [n]})) for n in (1, 1, 2))
    assert fingerprint(partial(doubled, one)) == fingerprint(partial(doubled, same))
    assert fingerprint(partial(doubled, one)) != fingerprint(partial(doubled, other))


def test_tables_count_by_content() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    assert fingerprint(partial(probe, frame)) == fingerprint(partial(probe, frame.copy()))
    assert fingerprint(partial(probe, frame)) != fingerprint(partial(probe, frame.iloc[:1]))
    assert fingerprint(partial(probe, frame.iloc[1:])) == fingerprint(
        partial(probe, frame.iloc[1:].reset_index(drop=True))
    )


def test_the_check_of_a_shard_does_not_count() -> None:
    job = partial(numbers, 1, 2)
    assert fingerprint(CheckedShardJob(job, "Clips")) == fingerprint(CheckedShardJob(job, "Labels")) == fingerprint(job)


@pytest.mark.parametrize("argument", [object(), lambda: None, {1, 2}])
def test_what_cannot_be_hashed_by_content_is_refused(argument: object) -> None:
    with pytest.raises(TypeError, match="cannot fingerprint"):
        fingerprint(partial(probe, argument))
