"""What tests read in a page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from plotly.offline import get_plotlyjs

VOID = {"meta", "img", "br"}


def without_plotly(page: str) -> str:
    """A page without the library that it carries."""
    return page.replace(get_plotlyjs(), "")


def flat(page: str) -> str:
    """A page without plotly, in one line."""
    return " ".join(without_plotly(page).split())


def table_rows(page: str) -> list[list[str]]:
    """Cells of all rows of all tables."""
    return [
        re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in re.findall(r"<tr.*?</tr>", page, re.DOTALL)
    ]


def unbalanced_tags(page: str) -> list[str]:
    """Tags that are opened and not closed; fails at one that is closed and not open."""
    open_tags: list[str] = []

    class Balance(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in VOID:
                open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_tags.pop() == tag

    Balance().feed(without_plotly(page))
    return open_tags
