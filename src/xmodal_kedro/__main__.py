"""`python -m xmodal_kedro`: what `kedro run` is in a checkout, for the installed package; `tag` and `similar`."""

from __future__ import annotations

import argparse
import os
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

LOGGING_FILE = "logging.yml"
TAG, SIMILAR = "tag", "similar"


def main(*args: str) -> object:
    """Run pipelines, tag files or search; arguments are those of `kedro run`, or of `tag` or `similar` after its name.

    By default they are the command line's.
    """
    given = args or tuple(sys.argv[1:])
    if given[:1] == (TAG,):
        from xmodal_kedro.cli.tag import tag

        return tag(given[1:], prog_name=f"python -m xmodal_kedro {TAG}")
    if given[:1] == (SIMILAR,):
        from xmodal_kedro.cli.similar import similar

        return similar(given[1:], prog_name=f"python -m xmodal_kedro {SIMILAR}")
    from kedro.framework.project import configure_project  # which logs to stdout, where tags go

    configure_project("xmodal_kedro")
    _log_as_configured(args or sys.argv[1:])
    from xmodal_kedro.cli import run

    interactive = hasattr(sys, "ps1")
    return run(args or None, prog_name="python -m xmodal_kedro", standalone_mode=not interactive)


def _log_as_configured(args: Sequence[str]) -> None:
    """Take `logging.yml` of the configuration, where Kedro looks into a folder `conf` alone."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--conf-source", type=Path, default=Path("conf"))
    source = parser.parse_known_args(args)[0].conf_source
    text = None if "KEDRO_LOGGING_CONFIG" in os.environ else _logging_text(source)
    if text is not None:
        import yaml
        from kedro.framework.project import LOGGING

        LOGGING.configure(yaml.safe_load(text))


def _logging_text(source: Path) -> bytes | None:
    """Of a folder, or of the archive that `kedro package` makes of one; None where there is none."""
    if (source / LOGGING_FILE).is_file():
        return (source / LOGGING_FILE).read_bytes()
    if not source.is_file() or not tarfile.is_tarfile(source):
        return None
    with tarfile.open(source) as packed:
        found = [member for member in packed if Path(member.name).parts[-1:] == (LOGGING_FILE,) and member.isfile()]
        stored = packed.extractfile(min(found, key=lambda member: len(Path(member.name).parts))) if found else None
        return stored.read() if stored else None


if __name__ == "__main__":
    main()
