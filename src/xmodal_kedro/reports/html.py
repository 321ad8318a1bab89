"""HTML reports: the Jinja2 templates, the filters they use, and plotly figures in one style."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import plotly.graph_objects as go
import plotly.io
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
INK, ACCENT, WARM = "#1d2733", "#1f5f8b", "#c9843a"
MAX_TICK = 24
"""Characters of a class name beside a bar: longer ones would leave a narrow screen no bars."""
UNKNOWN = "–"


def render(template: str, **view: Any) -> str:
    """A template of `reports/templates`, filled in; a page holds plotly.js itself and needs no network.

    Raises:
        jinja2.UndefinedError: if the template names something that `view` does not hold.
    """
    return _environment().get_template(template).render(view)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("xmodal_kedro.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    formats = (decimal, figure, hours, interval, lookup, mean_and_std, percent, points, p_value, shortened)
    environment.filters |= {format.__name__: format for format in formats}
    environment.globals |= {"plotlyjs": lambda: Markup(get_plotlyjs()), "INK": INK, "ACCENT": ACCENT}
    environment.globals["FONT"] = Markup(FONT)  # a style sheet needs its quotes
    return environment


def decimal(value: float | None, digits: int = 0) -> str:
    """A number with its thousands set apart."""
    return UNKNOWN if value is None else f"{value:,.{digits}f}"


def percent(share: float | None, digits: int = 0, unit: str = " %") -> str:
    """A share of 1 in percent."""
    return UNKNOWN if share is None or math.isnan(share) else f"{100 * share:.{digits}f}{unit}"


def mean_and_std(mean: float, std: float | None) -> str:
    """A mean share in percent, with its standard deviation where there is one."""
    return f"{100 * mean:.1f}" + ("" if std is None or math.isnan(std) else f" ± {100 * std:.1f}")


def points(gain: float) -> str:
    """A difference of shares in percentage points, with its sign unless it rounds to nothing."""
    text = f"{100 * gain:+.1f}".replace("-", "−")
    return "0.0" if text[1:] == "0.0" else text


def interval(gain: Any) -> str:
    """Both ends of a gain's confidence interval, `low` and `high`, in percentage points."""
    return f"{points(gain['low'])} to {points(gain['high'])}"


def lookup(key: str, table: Mapping[str, str]) -> str:
    """What a table has for a key, for `map` in templates."""
    return table[key]


def p_value(p: float) -> str:
    """A p-value to three decimals."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def hours(seconds: float) -> str:
    """A duration in hours."""
    return f"{seconds / 3600:,.2f} h"


def shortened(name: str) -> str:
    """A name that fits beside a bar."""
    return name if len(name) <= MAX_TICK else f"{name[: MAX_TICK - 1].rstrip(' ,')}…"


def figure(plot: go.Figure, element_id: str) -> Markup:
    """A plotly figure in the style of the reports; its title is left to the text around it."""
    styled = go.Figure(plot)
    styled.update_layout(
        template="plotly_white",
        colorway=[ACCENT, "#8fb3cc", WARM],
        title=None,
        font={"family": FONT, "size": 13, "color": INK},
        margin={"l": 8, "r": 8, "t": 32, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
    )
    styled.update_xaxes(automargin=True)
    styled.update_yaxes(automargin=True, ticklabelstandoff=6)
    config = {"responsive": True, "displayModeBar": False}
    drawn = plotly.io.to_html(styled, config, include_plotlyjs=False, full_html=False, div_id=element_id)
    return Markup(f'<div class="scroll">{drawn}</div>')


def class_histogram(plot: go.Figure) -> go.Figure:
    """Bars of classes with their names shortened beside them."""
    shown = [name for bars in plot.data for name in bars.y]
    return go.Figure(plot).update_yaxes(tickvals=shown, ticktext=[shortened(name) for name in shown])
