"""The search for common keys equals one in plain loops, whatever the rounds and the memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmodal_kedro.dedup import spill
from xmodal_kedro.dedup.candidates import BIN_HOPS, MAX_OFFSETS, Keys, find_candidates
from xmodal_kedro.dedup.keys import (
    AUDIO_KEY,
    CHECK_HOPS,
    FRAME_KEY,
    MAX_AUDIO_CHECK_BITS,
    MAX_FRAME_CHECK_BITS,
    NO_CHECK,
    Sampling,
    audio_keys,
    frame_keys,
)
from xmodal_kedro.dedup.videos import VideosOfShard, videos_of
from xmodal_kedro.params import NearDuplicateParams
from xmodal_kedro.schemas import SIGNATURES_ARROW

CHECKS = [NO_CHECK, 0b1, 0xFFFF0000, 0xFFFF0001, 0xF0F0F0F0]
KEY = st.tuples(st.sampled_from([7, 2**24 + 7, 2**31]), st.integers(0, 60), st.sampled_from(CHECKS))
VIDEO = st.tuples(st.lists(KEY, max_size=6), st.lists(KEY, max_size=3))


def votes_in_plain_loops(videos: list[tuple[list, list]], neighbours: int) -> Iterator[tuple[int, int, int, int, bool]]:
    """Each vote for an offset: the two videos, the place, the bin, and whether audio has it."""
    for kind, limit in ((0, MAX_AUDIO_CHECK_BITS), (1, MAX_FRAME_CHECK_BITS)):
        holders: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for video, keys in enumerate(videos):
            for key, place, check in sorted(keys[kind], key=lambda row: row[1]):
                if video not in [holder for holder, *_ in holders[key]]:
                    holders[key].append((video, place, check))
        for rows in holders.values():
            for at, (a, place, check) in enumerate(rows):
                alike = [
                    (b, other_place)
                    for b, other_place, other in rows[at + 1 :]
                    if NO_CHECK in (check, other) or (check ^ other).bit_count() <= limit
                ]
                for b, other_place in alike[:neighbours]:
                    yield a, b, place, (other_place - place) // BIN_HOPS, kind == 0


def in_plain_loops(videos: list[tuple[list, list]], neighbours: int) -> list[tuple]:
    """What `find_candidates` returns for one round, by its definition."""
    votes = list(votes_in_plain_loops(videos, neighbours))
    best: list[tuple] = []
    for a, b in sorted({vote[:2] for vote in votes}):
        places: dict[int, set[int]] = defaultdict(set)
        for *pair, place, bin_, heard in votes:
            if pair == [a, b] and heard:
                places[bin_].add(place)
                places[bin_ + 1].add(place)
        counts = {bin_: len(found) for bin_, found in places.items() if len(found) >= 2}
        chosen = sorted(counts, key=lambda bin_: (-counts[bin_], bin_))[:MAX_OFFSETS]
        best.extend((a, b, min(places[bin_]), bin_, True) for bin_ in chosen)
        seen = [(place, bin_) for *pair, place, bin_, heard in votes if pair == [a, b] and not heard]
        if seen:
            best.append((a, b, *min(seen), False))
    return best


def rows_of(videos: list[tuple[list, list]], first: int) -> Keys:
    audio, frames = (
        np.array(
            [
                (key, first + at, place, check)
                for at, keys in enumerate(videos)
                for key, place, check in sorted(keys[kind], key=lambda row: row[1])
            ],
            dtype,
        )
        for kind, dtype in ((0, AUDIO_KEY), (1, FRAME_KEY))
    )
    return Keys(audio, frames)


@settings(deadline=None)
@given(st.lists(VIDEO, max_size=8), st.integers(1, 4), st.integers(1, 3), st.booleans())
def test_it_equals_plain_loops(videos: list[tuple[list, list]], neighbours: int, batch: int, short: bool) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        if short:  # as with so many keys that a partition is sorted in parts
            patch.setattr(spill, "SORT_FACTOR", 10**6)
            patch.setattr(spill, "BUFFER_BYTES", 50)
        params = NearDuplicateParams(neighbours=neighbours, memory_mb=64)
        found = find_candidates(
            lambda _: (rows_of(videos[at : at + batch], at) for at in range(0, len(videos), batch)),
            1,
            Path(folder),
            params,
        )
        assert not list(Path(folder).iterdir())
    assert found.tolist() == in_plain_loops(videos, neighbours)


def simulated_shard(seed: int) -> VideosOfShard:
    """Three videos of two clips each, the last a copy of the first that begins seven hops later."""
    rng = np.random.default_rng(seed)
    recordings = rng.integers(1, 2**32, (2, 300), np.uint32)
    rows = []
    for video, (recording, trimmed) in enumerate([(0, 0), (1, 0), (0, 7)]):
        for first in (100, 0):  # not in order of time
            words = recordings[recording, first + trimmed : first + trimmed + 90]
            rows.append(
                {
                    "clip_id": f"{video}-{first}",
                    "video_id": str(video),
                    "first_word": first,
                    "words": words.tolist(),
                    "weak_bits": rng.integers(0, 2**15, words.size).tolist(),
                    "picture_times_s": [first * 0.024],
                    "picture_hashes": [recording * 2**60 + first],
                }
            )
    return videos_of(pa.Table.from_pylist(rows, schema=SIGNATURES_ARROW))


@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 4))
def test_each_key_is_in_one_round(seed: int, keep_one_in: int, rounds: int) -> None:
    shard = simulated_shard(seed)
    at_once = audio_keys(shard, 5, Sampling(keep_one_in)).tolist()
    in_rounds = [audio_keys(shard, 5, Sampling(keep_one_in, rounds, number)).tolist() for number in range(rounds)]
    assert sorted(row for rows in in_rounds for row in rows) == sorted(at_once)
    keys = [{row[0] for row in rows} for rows in in_rounds]
    assert sum(map(len, keys)) == len({row[0] for row in at_once})
    if keep_one_in == 1:
        assert len(at_once) == 8 * shard.words.size


def test_the_check_of_a_word_is_that_of_half_a_second_later_or_else_earlier() -> None:
    shard = simulated_shard(3)
    keys = audio_keys(shard, 0, Sampling(1)).reshape(-1, 8)
    for place, video in enumerate(keys["video"][:, 0]):
        signature = shard.video(int(video))
        word_at = dict(zip(signature.at.tolist(), signature.words.tolist(), strict=True))
        at = int(shard.at[place])
        assert set(keys["place"][place]) == {at}
        expected = word_at.get(at + CHECK_HOPS, word_at.get(at - CHECK_HOPS, NO_CHECK))
        assert set(keys["check"][place]) == {expected}


def test_frames_are_found_by_any_two_of_four_blocks() -> None:
    shard = simulated_shard(1)
    keys = frame_keys(shard, 0)
    assert keys.size == 6 * shard.picture_hashes.size
    one, changed = 0x0123_4567_89AB_CDEF, 0x0123_4567_89AB_CDEF ^ (1 << 3) ^ (1 << 62)
    both = []
    for hash_ in (one, changed):
        row = {"clip_id": "a", "video_id": "a", "first_word": 0, "words": [], "weak_bits": []}
        row |= {"picture_times_s": [0.0], "picture_hashes": [hash_]}
        both.append(set(frame_keys(videos_of(pa.Table.from_pylist([row], schema=SIGNATURES_ARROW)), 0)["key"].tolist()))
    assert len(both[0]) == 6
    assert len(both[0] & both[1]) == 1


def test_copies_are_candidates_at_their_offset_in_any_number_of_rounds(tmp_path: Path) -> None:
    shard = simulated_shard(2)
    found = []
    for rounds in (1, 2, 5):
        folder = tmp_path / str(rounds)
        folder.mkdir()

        def keys_of(number: int, rounds: int = rounds) -> Iterator[Keys]:
            yield Keys(audio_keys(shard, 0, Sampling(1, rounds, number)), np.empty(0, FRAME_KEY))

        found.append(find_candidates(keys_of, rounds, folder, NearDuplicateParams()).tolist())
    assert found[0] == found[1] == found[2]
    assert {(a, b) for a, b, *_ in found[0]} == {(0, 2)}
    assert found[0][0][3] in {-2, -1}  # bins of four hops, the offset being minus seven


def test_videos_with_a_key_by_chance_do_not_take_the_places_of_a_copy(tmp_path: Path) -> None:
    words = [(key << 24, place, 0b1) for key, place in enumerate(range(0, 60, 10))]
    by_chance = [[(key, place, 0xFFFF0000 | at) for key, place, _ in words] for at in range(0, 65536, 1024)]
    videos = [(words, []), *((keys, []) for keys in by_chance), (words, [])]
    params = NearDuplicateParams(neighbours=1)
    found = find_candidates(lambda _: [rows_of(videos, 0)], 1, tmp_path, params)
    assert (0, len(videos) - 1) in {(a, b) for a, b, *_ in found.tolist()}
