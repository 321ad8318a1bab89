"""Every report in a real browser, Chromium without a screen."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.browser import CHROMEDRIVER, CHROMIUM, browser
from tests.pipelines.test_summary import summary
from tests.reports import test_compare, test_label_check, test_review_results
from tests.reports.adapt.test_report import report as adapt_report
from tests.reports.labels.test_report import report as label_report
from tests.reports.test_embed import report as embed_report
from tests.reports.transfer.test_report import render

PAGES: dict[str, tuple[Callable[[], str], set[str]]] = {
    "transfer": (
        render,
        {"gain-intervals", "class-gains", "confusion-matrix", "embedding-map", "source-outcomes", "label-histogram"},
    ),
    "labels": (lambda: label_report().render(), {"label-histogram", "label-scores", "association-matrix"}),
    "label_check": (lambda: test_label_check.report(["Dog", "Cat"]).render(), {"calibration"}),
    "compare": (lambda: test_compare.report().render(), {"rules"}),
    "review_results": (lambda: test_review_results.results(3).render(), set()),
    "summary": (summary, {"network-gains"}),
    "adapt": (lambda: adapt_report().render(), {"confusion", "learning-curve", "calibration"}),
    "embed": (lambda: embed_report().render(), set()),
}
"""By report: a page, and the ids of its figures."""
SETTLED_S = 0.2
"""What a page does after it is loaded, is done by then."""
DRAWN = """return [...document.querySelectorAll(".plotly-graph-div")]
  .filter(plot => plot.querySelector(".main-svg") && plot.getBoundingClientRect().height > 50).map(plot => plot.id)"""
WIDTHS = "return [document.documentElement.scrollWidth, innerWidth]"

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or CHROMEDRIVER is None, reason="there is no Chromium with its driver on this machine"
)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One browser for all pages, as it takes longer to start than to show one."""
    folder = tmp_path_factory.mktemp("browser")
    with browser(folder / "profile", folder / "downloads") as driver:
        yield driver


@cache
def page_of(report: str) -> str:
    return PAGES[report][0]()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("report", PAGES)
def test_every_plot_is_drawn_without_an_error_and_the_page_is_no_wider_than_the_screen(
    driver: Any, tmp_path: Path, report: str, width: int
) -> None:
    page = tmp_path / "report.html"
    page.write_text(page_of(report))
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    driver.get(page.as_uri())
    figures, deadline = PAGES[report][1], time.monotonic() + 60
    while not figures <= set(driver.execute_script(DRAWN)) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(SETTLED_S)
    assert figures <= set(driver.execute_script(DRAWN))
    assert not [entry for entry in driver.get_log("browser") if re.search("(?i)error|severe", str(entry))]
    needed, shown = driver.execute_script(WIDTHS)
    assert needed <= shown == width
