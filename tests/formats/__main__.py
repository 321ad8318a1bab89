"""`python -m tests.formats` writes `docs/formats.md`."""

from __future__ import annotations

from tests.formats.page import PAGE, measure_all, render

if __name__ == "__main__":
    PAGE.write_text(render(measure_all()), encoding="utf-8")
