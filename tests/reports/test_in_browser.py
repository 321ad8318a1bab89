"""Every report in a real browser, Chromium without a screen."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipelines.test_summary import summary
from tests.reports import test_compare, test_label_check, test_review_results
from tests.reports.adapt.test_report import report as adapt_report
from tests.reports.labels.test_report import report as label_report
from tests.reports.test_embed import report as embed_report
from tests.reports.transfer.test_report import render

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
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
PROBE = """<script>
addEventListener("error", event => console.error("PAGE ERROR " + event.message));
addEventListener("load", () => setTimeout(() => {
  const reported = { width: document.documentElement.scrollWidth, window: innerWidth, drawn: [] };
  for (const plot of document.querySelectorAll(".plotly-graph-div"))
    if (plot.querySelector(".main-svg") && plot.getBoundingClientRect().height > 50) reported.drawn.push(plot.id);
  document.title = "PROBED " + JSON.stringify(reported);
}, 500));
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("report", PAGES)
def test_every_plot_is_drawn_without_an_error_and_the_page_is_no_wider_than_the_screen(
    tmp_path: Path, report: str, width: int
) -> None:
    make, figures = PAGES[report]
    page = tmp_path / "report.html"
    page.write_text(make().replace("<head>", f"<head>{PROBE}", 1))
    done = subprocess.run(
        [
            *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *("--enable-logging=stderr", "--virtual-time-budget=20000", f"--user-data-dir={tmp_path / 'profile'}"),
            *(f"--window-size={width},900", "--dump-dom", page.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    reported = re.search(r"<title>PROBED (.*?)</title>", done.stdout)
    assert reported, done.stderr[-2000:]
    assert not re.findall(r"CONSOLE.*(?:ERROR|Error|error)", done.stderr)
    probed = json.loads(reported[1].replace("&quot;", '"'))
    assert figures <= set(probed["drawn"])
    assert probed["width"] <= probed["window"]
