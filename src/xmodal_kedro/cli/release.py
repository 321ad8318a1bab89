"""Tag a release: `make release`, which runs the tests before.

`python -m xmodal_kedro.cli.release` in the repository. It ends with 0 and a tag, or with 1 and what is wrong.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import xmodal_kedro
from xmodal_kedro.cli.recipe_lock import LOCK_NAME, current_lock, read_lock

HEADING = re.compile(r"^## \[([^\]]+)\](?: - (\d{4}-\d{2}-\d{2}))?$", re.M)


def problems(repository: Path, version: str) -> Iterator[str]:
    """What keeps this commit from being the release of a version, each with its remedy."""
    released = [
        found for found in HEADING.findall((repository / "CHANGELOG.md").read_text()) if found[0] != "Unreleased"
    ]
    newest, date = released[0] if released else ("none", "")
    if newest != version:
        yield f"the newest version in CHANGELOG.md is {newest}, and __version__ is {version}: make them the same"
    elif not date:
        yield f"CHANGELOG.md gives {version} no date: write `## [{version}] - YYYY-MM-DD`"
    if _git(repository, "status", "--porcelain"):
        yield "there are changes that are not committed: commit them, or put them aside"
    if _git(repository, "tag", "--list", f"v{version}"):
        yield f"the tag v{version} exists: raise __version__ in src/xmodal_kedro/__init__.py"
    if read_lock(repository / LOCK_NAME) != current_lock():
        yield f"{LOCK_NAME} does not fit the code: run `make recipes`"


def main() -> int:
    repository, version = Path.cwd(), xmodal_kedro.__version__
    found = list(problems(repository, version))
    if found:
        print(f"v{version} cannot be released:", *found, sep="\n  ")
        return 1
    _git(repository, "tag", "--annotate", f"v{version}", "--message", f"Version {version}")
    print(f"Tagged v{version}. Publish it with: git push origin v{version}")
    return 0


def _git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=repository, capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
