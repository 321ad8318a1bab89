"""Parameters of the pipelines that read recordings."""

from __future__ import annotations

import pytest

from xmodal_kedro.params import IngestParams


@pytest.mark.parametrize(("audio_only", "without_video"), [(True, "use"), (False, "reject")])
def test_the_former_name_of_a_field_counts_and_has_the_same_identity(audio_only: bool, without_video: str) -> None:
    former = IngestParams.model_validate({"without_video": "use", "audio_only": audio_only})

    assert former == IngestParams(without_video=without_video)
    assert former.identity()["audio_only"] is audio_only
    assert "without_video" not in former.identity()


def test_a_former_name_with_another_value_is_an_error_that_names_the_present_one() -> None:
    with pytest.raises(ValueError, match=r"ingest\.without_video"):
        IngestParams.model_validate({"audio_only": "reject"})
