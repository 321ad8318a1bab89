import cv2
import numpy as np
import pyarrow as pa
import pytest

from tests.dedup.recordings import clip_of_sound, picture_of
from tests.fakes import MemoryShard
from tests.teachers.fixtures import jpeg
from xmodal_kedro.dedup.signature import picture_hash, sign_shard
from xmodal_kedro.schemas import CLIPS_ARROW, SIGNATURES_ARROW, Signatures

NOISE = (3000 * np.random.default_rng(0).standard_normal(64_000)).astype(np.int16)


def encoded(image: np.ndarray, quality: int = 90) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def distance(one: int | None, other: int | None) -> int:
    assert one is not None
    assert other is not None
    return (one ^ other).bit_count()


def clips_with(*frames: bytes) -> pa.Table:
    (row,) = clip_of_sound("noise", NOISE).to_pylist()
    row |= {"frames": list(frames), "frame_times_s": [float(place) for place in range(len(frames))]}
    return pa.Table.from_pylist([row], schema=CLIPS_ARROW)


def test_a_picture_is_known_again_at_another_size_quality_and_brightness() -> None:
    image = picture_of(1, 0.0, 320)
    changed = encoded((0.8 * picture_of(1, 0.0, 176)).astype(np.uint8), quality=40)
    assert distance(picture_hash(encoded(image)), picture_hash(changed)) <= 4
    assert distance(picture_hash(encoded(image)), picture_hash(encoded(picture_of(2, 0.0, 320)))) > 16


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 30, 30)])
def test_a_flat_picture_has_no_hash(colour: tuple[int, int, int]) -> None:
    assert picture_hash(jpeg(*colour, height=64, width=64)) is None


def test_flat_pictures_are_left_out_with_their_times() -> None:
    clips = clips_with(jpeg(0, 0, 0, 64, 64), encoded(picture_of(1, 0.0, 320)))
    signed = sign_shard(MemoryShard(clips))
    assert signed["picture_times_s"].to_pylist() == [[1.0]]
    assert len(signed["picture_hashes"][0]) == 1


def test_signatures_come_in_the_order_of_the_clips_and_take_less_than_a_hundredth_of_their_bytes() -> None:
    clips = pa.concat_tables([clip_of_sound(f"noise {number}", np.roll(NOISE, 999 * number)) for number in range(66)])
    signed = sign_shard(MemoryShard(clips))
    Signatures.validate(signed.to_pandas())
    assert signed.schema == SIGNATURES_ARROW
    assert signed["clip_id"].to_pylist() == clips["clip_id"].to_pylist()
    assert signed.nbytes < 0.01 * clips.nbytes


def test_a_shard_without_clips_has_no_signatures() -> None:
    assert sign_shard(MemoryShard(CLIPS_ARROW.empty_table())).equals(SIGNATURES_ARROW.empty_table())


def test_a_broken_picture_is_an_error_that_names_its_clip() -> None:
    clips = clips_with(b"no picture")
    with pytest.raises(ValueError, match=clips["clip_id"][0].as_py()):
        sign_shard(MemoryShard(clips))
