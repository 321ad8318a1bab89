"""`python -m xmodal_kedro`: what `kedro run` is in a checkout, for the installed package."""

from __future__ import annotations

import sys

from kedro.framework.project import configure_project


def main(*args: str) -> object:
    """Run pipelines; arguments are those of `kedro run`, by default the command line's."""
    configure_project("xmodal_kedro")
    from xmodal_kedro.cli import run

    interactive = hasattr(sys, "ps1")
    return run(args or None, prog_name="python -m xmodal_kedro", standalone_mode=not interactive)


if __name__ == "__main__":
    main()
