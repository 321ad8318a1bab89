import numpy as np
import pytest

from xmodal_kedro.inference.neighbours import nearest_sounds

ANGLES_DEG = [0, 10, 30, 180, 190, 210]
EMBEDDINGS = np.array([[np.cos(np.radians(angle)), np.sin(np.radians(angle))] for angle in ANGLES_DEG], np.float32)


def test_the_nearest_come_first_and_none_is_its_own_neighbour() -> None:
    assert [at for at, _ in nearest_sounds(EMBEDDINGS, 0, 3)] == [1, 2, 5]
    assert len(nearest_sounds(EMBEDDINGS, 0, 99)) == len(EMBEDDINGS) - 1
    cosines = [cosine for _, cosine in nearest_sounds(EMBEDDINGS, 3, 5)]
    assert cosines == sorted(cosines, reverse=True)
    assert -1.001 <= cosines[-1] <= cosines[0] <= 1.001


def test_what_all_sounds_share_makes_none_alike() -> None:
    shifted = EMBEDDINGS + np.float32(100)
    for at in range(len(EMBEDDINGS)):
        np.testing.assert_allclose(
            [cosine for _, cosine in nearest_sounds(shifted, at)],
            [cosine for _, cosine in nearest_sounds(EMBEDDINGS, at)],
            atol=1e-3,
        )


def test_embeddings_that_are_all_equal_are_no_more_alike_than_chance() -> None:
    assert [cosine for _, cosine in nearest_sounds(np.ones((3, 4), np.float32), 0)] == [0.0, 0.0]


def test_a_position_that_is_not_there_is_refused() -> None:
    with pytest.raises(IndexError, match="no sound 6 among 6"):
        nearest_sounds(EMBEDDINGS, 6)
