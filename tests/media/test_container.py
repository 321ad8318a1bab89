"""Opening containers and reading their packets."""

from __future__ import annotations

from types import SimpleNamespace

import av
import pytest

from tests.media.synthetic import write_media
from xmodal_kedro.media.container import Packets, open_media, packets
from xmodal_kedro.reasons import MediaError


@pytest.mark.parametrize("path", ["memory://gone/clock.mp4", "/gone/clock.mp4"])
def test_opening_what_has_gone_names_the_reason_but_not_the_place(path):
    with pytest.raises(MediaError) as error, open_media(path):
        pass

    assert (error.value.reason, error.value.detail) == ("unreadable", "No such file or directory")


def test_demuxing_that_ends_by_an_error_says_so(tmp_path):
    path = write_media(tmp_path / "clock.mp4", duration_s=2.0)

    with open_media(str(path)) as container:
        whole = packets(container, *container.streams)
        assert all(packet.size for packet in whole)
        assert whole.broke_off == ""

    def break_off():
        with open_media(str(path)) as container:
            yield next(container.demux())
        raise av.error.InvalidDataError(1, "Invalid data found")

    broken = type(whole)(break_off)
    assert len(list(broken)) == 1
    assert broken.broke_off == "Invalid data found"


def test_a_stream_that_begins_half_way_ends_nothing():
    packets_left = iter([1, 0, 1])

    def demux():
        for known in packets_left:
            if not known:
                raise IndexError("list index out of range")
            yield SimpleNamespace(size=1)

    read = Packets(demux)
    assert len(list(read)) == 2
    assert read.broke_off == ""
