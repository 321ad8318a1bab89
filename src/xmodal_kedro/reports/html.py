"""The shell of a self-contained HTML page: style, tables, plotly figures, no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
INK, ACCENT, WARM = "#1d2733", "#1f5f8b", "#c9843a"
COLOURS = f"--ink: {INK}; --soft: #5c6b7a; --line: #e3e8ed; --accent: {ACCENT};"
"""For the style sheet of whatever the colours are used in."""
MAX_TICK = 24
"""Characters of a class name beside a bar: longer ones would leave a narrow screen no bars."""

STYLE = f"""
:root {{ {COLOURS} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: #fff; color: var(--ink); font: 16px/1.6 {FONT}; }}
main {{ max-width: 960px; margin: 0 auto; padding: 64px 24px 96px; }}
h1 {{ font-size: clamp(1.7rem, 5vw, 2.5rem); line-height: 1.2; font-weight: 650; letter-spacing: -.02em; margin: 0;
  text-wrap: balance; }}
h2 {{ font-size: 1.3rem; font-weight: 620; letter-spacing: -.01em; margin: 0 0 12px; }}
section {{ margin-top: 72px; }}
section .figures {{ margin: 20px 0 32px; }}
section .figures dd {{ font-size: 1.5rem; }}
section .figures div:first-child {{ border-color: var(--line); }}
p {{ max-width: 68ch; margin: 0 0 16px; text-wrap: pretty; }}
.soft {{ color: var(--soft); }}
.lead {{ font-size: 1.1rem; color: var(--soft); margin-top: 16px; }}
.figures {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 24px; margin: 40px 0 0; }}
.figures div {{ border-top: 2px solid var(--line); padding-top: 12px; }}
.figures div:first-child {{ border-color: var(--accent); }}
.figures dt {{ color: var(--soft); font-size: .9rem; }}
.figures dd {{ margin: 0; font-size: 1.9rem; font-weight: 620; letter-spacing: -.02em;
  font-variant-numeric: tabular-nums; }}
.figures small {{ display: block; color: var(--soft); font-size: .85rem; font-weight: 400; letter-spacing: 0; }}
.scroll {{ overflow-x: auto; margin: 0 0 24px; }}
table {{ border-collapse: collapse; width: 100%; font-size: .95rem; font-variant-numeric: tabular-nums; }}
th, td {{ text-align: left; padding: 9px 24px 9px 0; border-bottom: 1px solid var(--line); vertical-align: top; }}
thead th {{ color: var(--soft); font-weight: 500; font-size: .88rem; white-space: nowrap; }}
tbody th {{ font-weight: 500; white-space: pre-line; overflow-wrap: anywhere; min-width: 15ch; }}
.number {{ text-align: right; white-space: pre; }}
tr.total > * {{ border-bottom: 0; border-top: 2px solid var(--ink); font-weight: 620; }}
@media (max-width: 560px) {{
  main {{ padding: 36px 18px 64px; }}
  section {{ margin-top: 52px; }}
  .figures {{ grid-template-columns: 1fr 1fr; gap: 20px; }}
  table {{ font-size: .88rem; }}
  th, td {{ padding-right: 12px; }}
}}
th:last-child, td:last-child {{ padding-right: 0; }}
"""


def page(title: str, body: Iterable[str], style: str = "") -> str:
    """A whole page, with plotly.js inlined once; `style` is added to the style sheet."""
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}{style}</style>",
            f"<script>{get_plotlyjs()}</script></head>",
            "<body><main>",
            *body,
            "</main></body></html>\n",
        ]
    )


def section(heading: str, *parts: str) -> str:
    """A headed part of the page."""
    return "\n".join([f"<section><h2>{escape(heading)}</h2>", *parts, "</section>"])


def paragraph(text: str, kind: str = "") -> str:
    """Plain text as a paragraph; `kind` is a class of the style sheet."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def headline(figures: Iterable[tuple[str, str, str]]) -> str:
    """Large numbers: (what, number, remark) each."""
    items = (f"<div><dt>{escape(a)}</dt><dd>{escape(b)}<small>{escape(c)}</small></dd></div>" for a, b, c in figures)
    return f'<dl class="figures">{"".join(items)}</dl>'


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int], totals: int = 0) -> str:
    """A table that scrolls sideways on a narrow screen.

    Args:
        columns: headings; empty where the rows need none.
        rows: cells as text; the first names its row. It and numbers may have several lines.
        numbers: positions of the columns that hold numbers.
        totals: how many of the last rows sum up the others.
    """
    rows = list(rows)

    def cells(row: Sequence[str], tag: str) -> str:
        parts = []
        for position, text in enumerate(row):
            kind = ' class="number"' if position in numbers else ""
            name = "th" if tag == "th" or position == 0 else "td"
            parts.append(f"<{name}{kind}>{escape(text)}</{name}>")
        return "".join(parts)

    openings = ["<tr>"] * (len(rows) - totals) + ['<tr class="total">'] * totals
    body = "".join(f"{opening}{cells(row, 'td')}</tr>" for opening, row in zip(openings, rows, strict=True))
    head = f"<thead><tr>{cells(columns, 'th')}</tr></thead>" if columns else ""
    return f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>'


def figure(plot: go.Figure, name: str) -> str:
    """A plotly figure in the page's style, under a stable element id; its title is left to the text around it."""
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
    drawn = styled.to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=name,
        config={"responsive": True, "displayModeBar": False},
    )
    return f'<div class="scroll">{drawn}</div>'


def shortened(name: str) -> str:
    """A name that fits beside a bar."""
    return name if len(name) <= MAX_TICK else f"{name[: MAX_TICK - 1].rstrip(' ,')}…"


def share(part: float, whole: float) -> str:
    """Percent, without decimals."""
    return f"{100 * part / whole:.0f} %" if whole else "0 %"
