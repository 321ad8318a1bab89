"""Clips to look at and listen to, as parts of a page and as a sheet of their own."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from xmodal_kedro.reports import html
from xmodal_kedro.reports.labels.clip_views import ClipView, Opinion
from xmodal_kedro.reports.labels.media import data_uri, spectrogram, wav

STYLE = """
.clips { display: grid; grid-template-columns: repeat(auto-fill, minmax(270px, 1fr)); gap: 44px 28px; margin: 28px 0; }
.clip { min-width: 0; }
.clip .frames { display: flex; gap: 2px; height: 150px; }
.clip .frames img { flex: 1; min-width: 0; height: 100%; object-fit: contain; background: var(--ink); }
.clip .frames p { margin: auto; color: var(--soft); }
.clip .mel { display: block; width: 100%; height: 84px; margin-top: 2px; }
.clip audio { display: block; width: 100%; height: 36px; margin: 8px 0 10px; }
.clip h3 { font-size: .8rem; font-weight: 500; color: var(--soft); margin: 10px 0 2px; }
.clip ol { list-style: none; margin: 0; padding: 0; font-size: .9rem; }
.clip li { position: relative; display: flex; gap: 8px; padding: 2px 0 4px; color: var(--soft); }
.clip li.counts { color: var(--ink); }
.clip li span { flex: 1; overflow-wrap: anywhere; line-height: 1.35; }
.clip li b { font-weight: 500; font-variant-numeric: tabular-nums; line-height: 1.35; }
.clip li::after { content: ""; position: absolute; left: 0; bottom: 0; height: 2px; width: var(--score);
  background: var(--line); }
.clip li.counts::after { background: var(--accent); }
.clip .target { display: flex; flex-wrap: wrap; gap: 6px; margin: 0; font-size: .9rem; line-height: 1.35; }
.clip .target span { background: #e8f0f6; border-radius: 4px; padding: 3px 8px; overflow-wrap: anywhere; }
.clip .target .none { background: none; padding-left: 0; color: var(--soft); }
.clip footer { margin-top: 10px; color: var(--soft); font-size: .8rem; overflow-wrap: anywhere; }
"""
"""Of `clip_cards`, for the page's style sheet."""

SHEET_STYLE = f"""
.sheet {{ {html.COLOURS} color: var(--ink); background: #fff; padding: 4px 24px; font: 14px/1.4 {html.FONT}; }}
"""


def contact_sheet(groups: Sequence[tuple[str, Sequence[ClipView]]]) -> str:
    """Groups of clips under their headings: HTML in one line, with its style, for whatever page it is put into."""
    parts = (f"<h2>{escape(heading)}</h2>{clip_cards(views)}" for heading, views in groups)
    sheet = f'<div class="sheet"><style>{SHEET_STYLE}{STYLE}</style>{"".join(parts)}</div>'
    return " ".join(sheet.split())


def clip_cards(views: Sequence[ClipView]) -> str:
    """Each clip's pictures, spectrogram, sound, teachers' labels and target."""
    return f'<div class="clips">{"".join(map(_card, views))}</div>'


def _card(view: ClipView) -> str:
    pictures = "".join(f'<img alt="picture of the clip" src="{data_uri(jpeg, "image/jpeg")}">' for jpeg in view.frames)
    targets = "".join(f"<span>{escape(name)}{_weight(weight)}</span>" for name, weight in view.targets)
    return "\n".join(
        [
            '<article class="clip">',
            f'<div class="frames">{pictures or "<p>no picture</p>"}</div>',
            f'<img class="mel" alt="log-mel spectrogram" src="{data_uri(spectrogram(view.audio), "image/png")}">',
            f'<audio controls src="{data_uri(wav(view.audio), "audio/wav")}"></audio>',
            _opinions("Seen", view.visual_labels),
            _opinions("Heard", view.audio_labels),
            "<h3>Target</h3>",
            f'<p class="target">{targets or "<span class=none>none</span>"}</p>',
            f"<footer>{view.split}, {view.start_s:.1f}–{view.end_s:.1f} s of video<br>{escape(view.video_id)}</footer>",
            "</article>",
        ]
    )


def _opinions(heading: str, opinions: Sequence[Opinion]) -> str:
    items = "".join(
        f'<li{" class=counts" if opinion.counts else ""} style="--score:{opinion.score:.1%}">'
        f"<span>{escape(opinion.label)}</span><b>{opinion.score:.2f}</b></li>"
        for opinion in opinions
    )
    return f"<h3>{heading}</h3><ol>{items or '<li>no label</li>'}</ol>"


def _weight(weight: float) -> str:
    """The weight of a soft target."""
    return "" if weight == 1 else f" {weight:.2f}"
