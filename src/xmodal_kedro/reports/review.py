"""The page of `review`, on which people answer what is heard in clips."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pandas as pd

from xmodal_kedro.media.mp3_file import mp3
from xmodal_kedro.reports import html
from xmodal_kedro.reports.labels.contact_sheet import data_uri, spectrogram
from xmodal_kedro.storage import Shards
from xmodal_kedro.storage.rows import rows_of

MAX_FRAMES = 2
"""Frames of a clip that are shown."""
FRAME_PX = 400
"""Longer side of a shown frame."""
WEBP_QUALITY = 60
"""With it and `mp3`, a clip of 5 s takes some 70 kB of the page."""


@dataclass(frozen=True)
class ReviewPage:
    """All that the page shows.

    Attributes:
        questions: `ReviewQuestions`.
        clips: shards of `Clips`.
        videos: `Videos`, which has the names of the recordings.
        names: classes that are suggested as heard too.
    """

    questions: pd.DataFrame
    clips: Shards
    videos: pd.DataFrame
    names: Sequence[str]

    def render(self) -> str:
        """One HTML page that needs nothing beside it."""
        cards = list(self._cards())
        index = [
            {"clip_id": card["clip_id"], "names": [asked["name"] for asked in card["questions"]]} for card in cards
        ]
        return html.render(
            "review.html.j2",
            draw=self.draw,
            index=index,
            cards=cards,
            total=max(1, len(self.questions)),
            classes=sorted(self.questions["name"].unique(), key=str.casefold),
            names=list(self.names),
        )

    @property
    def draw(self) -> str:
        """Digest of the questions, under which the browser keeps their answers."""
        asked = self.questions[["clip_id", "name"]].to_numpy().tolist()
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:12]

    def _cards(self) -> Iterator[dict[str, Any]]:
        """One card for each clip, in the order of the questions."""
        media_of = self._media()
        uri_of = dict(zip(self.videos["video_id"], self.videos["uri"], strict=True))
        for clip_id, asked in self.questions.groupby("clip_id", sort=False):
            first = asked.iloc[0]
            yield {
                "clip_id": clip_id,
                "source": uri_of.get(first["video_id"], first["video_id"]),
                "start_s": round(float(first["start_s"]), 2),
                "end_s": round(float(first["end_s"]), 2),
                "questions": [
                    {
                        "name": row["name"],
                        "visual": _shown_score(row["visual_score"]),
                        "audio": _shown_score(row["audio_score"]),
                    }
                    for row in asked.to_dict("records")
                ],
                **media_of[str(clip_id)],
            }

    def _media(self) -> dict[str, dict[str, Any]]:
        media = {}
        for key, rows in self.questions.groupby("shard", sort=True):
            held = rows_of(self.clips[str(key)], rows["clip_id"].unique().tolist(), ("clip_id", "frames", "audio"))
            for clip in held.to_pylist():
                media[clip["clip_id"]] = {
                    "frames": [data_uri(_webp(jpeg, FRAME_PX), "image/webp") for jpeg in clip["frames"][:MAX_FRAMES]],
                    "spectrogram": data_uri(_webp(spectrogram(clip["audio"])), "image/webp"),
                    "sound": data_uri(mp3(clip["audio"]), "audio/mpeg"),
                }
        return media


def _shown_score(score: float) -> float | None:
    """A score with the digits that are shown; None where a teacher gave none, as JSON has no NaN."""
    return None if np.isnan(score) else round(float(score), 3)


def _webp(picture: bytes, longer_side_px: int | None = None) -> bytes:
    """A picture as WebP, which every browser of today reads and which is a third of the size of a JPEG.

    Args:
        picture: JPEG or PNG.
        longer_side_px: what the longer side is shrunk to; None keeps the size.
    """
    image: Any = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    height, width = image.shape[:2]
    scale = min(1.0, (longer_side_px or max(height, width)) / max(height, width))
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    shrunk = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    encoded: np.ndarray = cv2.imencode(".webp", shrunk, [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY])[1]
    return encoded.tobytes()
