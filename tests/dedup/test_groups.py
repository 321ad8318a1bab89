"""Which copies of a recording are found, and what is not mistaken for one."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dedup.recordings import (
    Encoding,
    clip_of_sound,
    clips_of,
    sign,
    sound_of,
    video_id_of,
    videos_table,
    write_recording,
)
from tests.fakes import MemoryShard
from tests.project import PROJECT
from xmodal_kedro.dedup.agreement import MAX_FRAME_GAP_S, picture_distance
from xmodal_kedro.dedup.groups import find_near_duplicates, groups
from xmodal_kedro.dedup.videos import VideoSignature, videos_of
from xmodal_kedro.params import NearDuplicateParams
from xmodal_kedro.schemas import NearDuplicates

PARAMS = NearDuplicateParams()
ORIGINAL = Encoding()
COPIES = {
    "trimmed": Encoding(trimmed_s=1.3, bit_rate=64_000, keyframe_every=30),
    "quieter": Encoding(".mkv", audio="ac3", gain_db=-6.0),
    "small": Encoding(".avi", "mpeg4", "libmp3lame", width=96, bit_rate=64_000),
    "resampled": Encoding(".flv", "flv", "libmp3lame", rate_hz=22_050, bit_rate=32_000),
    "stereo": Encoding(".webm", "libvpx", "libopus", layout="stereo", bit_rate=48_000, trimmed_s=0.7),
    "old": Encoding(".mpg", "mpeg2video", "mp2", bit_rate=128_000, keyframe_every=12),
    "mirrored": Encoding(".mov", mirrored=True),
    "phone": Encoding(".3gp", "mpeg4", "libopencore_amrnb", rate_hz=8000, bit_rate=12_200, width=96),
}
OTHERS = {
    "other one": (2, ORIGINAL),
    "other two": (3, Encoding(".webm", "libvpx", "libopus")),
    "faster": (1, Encoding(speed=1.06)),
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, MemoryShard], pd.DataFrame]:
    """Signatures of all files, one shard each, and their table."""
    folder = tmp_path_factory.mktemp("recordings")
    wanted = {name: (1, encoding) for name, encoding in {"original": ORIGINAL, **COPIES}.items()} | OTHERS
    paths = [write_recording(folder, name, seed, encoding) for name, (seed, encoding) in wanted.items()]
    return {f"shard-{path.stem}": sign(clips_of(path)) for path in paths}, videos_table(paths)


@pytest.fixture(scope="module")
def found(corpus: tuple[dict[str, MemoryShard], pd.DataFrame]) -> pd.DataFrame:
    table = find_near_duplicates(*corpus, PARAMS)
    NearDuplicates.validate(table)
    return table


@pytest.mark.parametrize("name", COPIES)
def test_a_re_encoding_is_found(found: pd.DataFrame, name: str) -> None:
    by_name = found.set_index(found["uri"].map(lambda uri: Path(uri).stem))
    assert by_name.loc[name, "group_id"] == by_name.loc["original", "group_id"]
    assert by_name.loc[name, "matched_s"] > 5


@pytest.mark.parametrize("name", OTHERS)
def test_another_recording_and_one_played_faster_are_not_taken_for_copies(found: pd.DataFrame, name: str) -> None:
    assert name not in {Path(uri).stem for uri in found["uri"]}


def test_frames_distinguish_a_copy_from_a_mirrored_one(
    corpus: tuple[dict[str, MemoryShard], pd.DataFrame],
) -> None:
    original, plain, mirrored = (
        videos_of(corpus[0][f"shard-{name}"]()).video(0) for name in ("original", "old", "mirrored")
    )
    assert (picture_distance(original, plain, 0.0) or 64) <= PARAMS.max_picture_distance
    assert (picture_distance(original, mirrored, 0.0) or 0) > PARAMS.max_picture_distance


TIMES_S = st.lists(st.integers(0, 60).map(lambda tenths: tenths / 10), min_size=1, max_size=12, unique=True).map(sorted)


@given(TIMES_S, TIMES_S, st.integers(-30, 30).map(lambda tenths: tenths / 10), st.integers(0, 2**32))
def test_frames_are_compared_with_the_nearest_in_time(
    one_s: list[float], other_s: list[float], offset_s: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    nothing = np.zeros(0, np.int64), np.zeros(0, np.uint32)
    hashes = [rng.integers(0, 2**64, len(times_s), np.uint64) for times_s in (one_s, other_s)]
    one, other = (
        VideoSignature(*nothing, np.array(times_s), bits)
        for times_s, bits in zip((one_s, other_s), hashes, strict=True)
    )
    apart_s = np.abs(np.subtract.outer(np.array(one_s) + offset_s, np.array(other_s)))
    close = apart_s.min(1) <= MAX_FRAME_GAP_S
    expected = np.bitwise_count(hashes[0] ^ hashes[1][apart_s.argmin(1)])[close].mean() if close.any() else None
    assert picture_distance(one, other, offset_s) == expected


def test_neither_the_order_nor_the_number_of_shards_matters(
    corpus: tuple[dict[str, MemoryShard], pd.DataFrame], found: pd.DataFrame
) -> None:
    shards, videos = corpus
    backwards = find_near_duplicates(dict(reversed(shards.items())), videos.iloc[::-1], PARAMS)
    pd.testing.assert_frame_equal(found, backwards)
    together = pa.concat_tables([load() for load in shards.values()])
    at_once = find_near_duplicates({"shard-all": MemoryShard(together)}, videos, PARAMS)
    assert at_once["group_id"].tolist() == found["group_id"].tolist()


def heard_in(sounds: dict[str, np.ndarray]) -> set[str]:
    """Names of the recordings that are near-duplicates of another."""
    clips = {name: clip_of_sound(name, np.round(sound).astype(np.int16)) for name, sound in sounds.items()}
    videos = pd.DataFrame(
        [(table["video_id"][0].as_py(), name) for name, table in clips.items()], columns=["video_id", "uri"]
    )
    shard = sign(pa.concat_tables(list(clips.values())))
    return set(find_near_duplicates({"shard-all": shard}, videos, NearDuplicateParams(keep_one_in=1))["uri"])


def test_silence_tones_noise_and_like_sounds_are_no_copies_of_each_other() -> None:
    time_s, rng = np.arange(80_000) / 16_000, np.random.default_rng(0)
    tone, click = 8000 * np.sin(2 * np.pi * 440 * time_s), 9000 * np.exp(-30 * (time_s % 0.5))
    assert not heard_in(
        {f"silence {n}": np.zeros(80_000) for n in range(3)}
        | {f"tone {n}": tone * (1 - n / 4) for n in range(3)}
        | {f"noisy tone {n}": tone + rng.standard_normal(80_000) for n in range(3)}
        | {f"noise {n}": 3000 * rng.standard_normal(80_000) for n in range(10)}
        | {f"clatter {n}": click * rng.standard_normal(80_000) for n in range(10)}
    )


def test_a_short_jingle_does_not_join_long_recordings_and_does_join_short_ones() -> None:
    jingle = 20_000 * sound_of(9, 3)[::3]

    def with_jingle(seed: int, seconds: int) -> np.ndarray:
        return np.concatenate([jingle, 20_000 * sound_of(seed, seconds)[::3]])

    assert not heard_in({f"long {seed}": with_jingle(seed, 60) for seed in (10, 11)})
    assert heard_in({f"short {seed}": with_jingle(seed, 6) for seed in (10, 11)}) == {"short 10", "short 11"}


def test_a_recording_that_very_many_videos_hold_is_one_group() -> None:
    copies = 40
    rng, sound = np.random.default_rng(0), 20_000 * sound_of(1, 5)[::3]
    sounds = {f"copy {n}": sound[160 * n :] + 30 * rng.standard_normal(sound.size - 160 * n) for n in range(copies)}
    assert len(heard_in(sounds)) == copies


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")), max_size=12))
def test_groups_are_the_connected_parts_named_after_their_smallest_member(pairs: list[tuple[str, str]]) -> None:
    group_of = groups(pairs)
    assert group_of.keys() == {item for pair in pairs for item in pair}
    assert group_of == groups(pairs[::-1])
    reach = {item: {item} for item in group_of}
    for _ in pairs:
        for one, other in pairs:
            reach[one] = reach[other] = reach[one] | reach[other]
    assert all(min(reach[item]) == group for item, group in group_of.items())


def test_limits_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="max_bit_errors_if_seen_alike .* is less than"):
        NearDuplicateParams(max_bit_errors=0.4)


def test_memory_does_not_grow_with_the_number_of_clips() -> None:
    def search(shards: int) -> dict[str, float]:
        command = [sys.executable, "benchmarks/near_duplicates.py", "--one", str(shards), "--memory-mb", "64"]
        return json.loads(subprocess.run(command, cwd=PROJECT, capture_output=True, check=True, text=True).stdout)

    few, many = search(4), search(20)
    assert many["clips"] == 5 * few["clips"]
    assert few["missed"] == many["missed"] == few["wrongly joined"] == many["wrongly joined"] == 0
    assert many["copies"] == 5 * few["copies"] > 100
    assert many["disk, kB a clip"] < 3
    assert many["peak MB"] - few["peak MB"] < 40


REAL_GROUPS = [
    {"SparseSync__vggsound_ZYc410CE4Rg_0_10000.mp4", "Synchformer__vggsound_ZYc410CE4Rg_0_10000.mp4"},
    {"SparseSync__vggsound_3qesirWAGt4_20000_30000.mp4", "Synchformer__vggsound_3qesirWAGt4_20000_30000.mp4"},
    {"ExoPlayer__video_big_buck_bunny.mp4", "moviepy__big_buck_bunny_0_30.webm"},
    {"metadata-extractor-images__sample.3gp", "mp4parser__multiTrack.3gp"},
    {"sample-media__lego-vp8-vorbis.webm", "tika__testWMV_WMV2.wmv", "file-type__fixture.3gp"},
]
UNLIKE = {
    "SpecVQGAN__vas_dog_video_02677.mp4",
    "SpecVQGAN__vas_dog_video_02754.mp4",
    "SpecVQGAN__vas_fireworks_video_02997.mp4",
    "SpecVQGAN__vas_fireworks_video_03051.mp4",
}


def test_the_real_re_encodings_are_found_and_nothing_else(real_data: Path) -> None:
    paths = [real_data / "videos" / name for name in sorted(UNLIKE.union(*REAL_GROUPS))]
    signatures = {f"shard-{video_id_of(path)}": sign(clips_of(path)) for path in paths}
    found = find_near_duplicates(signatures, videos_table(paths), PARAMS)
    assert sorted(map(sorted, REAL_GROUPS)) == sorted(sorted(group) for _, group in found.groupby("group_id")["uri"])
