#!/bin/sh
# FFmpeg's MP4 reader shows the frames of a fragmented file with negative composition offsets late.
#
# Versions: PyAV 18.1.0 (FFmpeg 8 inside), Python 3.9 or newer.
# Input: 4 s of H.264 with B frames and AAC, made here, once as an ordinary MP4 and once with `movflags=cmaf`.
# In the second file the boxes say that the first frame is shown at its decoding time, 0: the composition offset in
# `trun` (version 1, signed) is 0, and later ones are negative (ISO/IEC 14496-12, 8.8.8; CMAF, ISO/IEC 23000-19).
# Behaviour seen: the reader adds the largest negative offset to all presentation times of the video track, and to none
# of the sound: the first frame is at 0.04 s at 25 frames a second, and at 0 in the ordinary file. Nothing says so, and
# frames and sound of one moment are 40 ms apart; a larger reordering shifts more.
# Exit status: 0 if that is what happens, 1 if it has changed.
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import struct
import sys
from fractions import Fraction

import av
import numpy as np


def write(path, flags):
    with av.open(path, "w", options={"movflags": flags}) as out:
        video = out.add_stream("libx264", rate=25, width=96, height=64, pix_fmt="yuv420p")
        video.codec_context.max_b_frames = 2
        video.options = {"x264-params": "b-adapt=0:bframes=2:b-pyramid=none"}
        sound = out.add_stream("aac", rate=48000, layout="mono")
        for number in range(100):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 2 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(video.encode(frame))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4 * 48000), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 48000, 0
        out.mux(sound.encode(frame))
        out.mux(video.encode(None))
        out.mux(sound.encode(None))
    with av.open(path) as container:
        return min(float(packet.pts * packet.time_base) for packet in container.demux(video=0) if packet.pts is not None)


def first_offsets(path):
    """Composition offsets of the first run of samples that has any."""
    content = open(path, "rb").read()
    at = content.find(b"trun")
    while at >= 0:
        flags, count = struct.unpack_from(">II", content, at + 4)
        if flags & 0x800:
            columns = [bit for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit]
            start = at + 12 + 4 * bool(flags & 1) + 4 * bool(flags & 4)
            row = 4 * len(columns)
            place = 4 * columns.index(0x800)
            return [struct.unpack_from(">i", content, start + row * index + place)[0] for index in range(count)]
        at = content.find(b"trun", at + 4)
    return []


plain = write(sys.argv[1] + "/plain.mp4", "faststart")
cmaf = write(sys.argv[1] + "/cmaf.mp4", "cmaf")
offsets = first_offsets(sys.argv[1] + "/cmaf.mp4")
print(f"first frame: {plain:.3f} s in the ordinary file, {cmaf:.3f} s in the fragmented one")
print(f"composition offsets in its boxes: first {offsets[0]}, least {min(offsets)}")
sys.exit(not (plain == 0 and abs(cmaf - 0.04) < 0.001 and offsets[0] == 0 and min(offsets) < 0))
PYTHON
