#!/bin/sh
# PyAV reads a chained Ogg file on where the sample rate stays, and fails where it changes.
#
# Versions: PyAV 18.1.0 (FFmpeg 8 inside), soundfile 0.14.0 (libsndfile 1.2), Python 3.9 or newer.
# Input: 2 s of a 440 Hz tone and 2 s of an 880 Hz tone, both Vorbis in Ogg, made here, and one file written after the
# other, as `cat a.ogg b.ogg` does and as internet radio streams do with each title: RFC 3533, section 4, calls that
# chaining, and it is valid. Once both parts have 44.1 kHz, once the second has 22.05 kHz.
# Behaviour seen: with equal rates all 4 s are decoded. With different ones the demuxer raises "Not yet implemented in
# FFmpeg, patches welcome" after 2 s, so a reader that keeps what it has until an error gets half of the file, and one
# that stops gets nothing. libsndfile gives 2 s in both cases, without an error.
# Exit status: 0 if that is what happens, 1 if it has changed.
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 soundfile==0.14.0 numpy
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import av
import numpy as np
import soundfile


def part(path, rate, hz):
    tone = 0.5 * np.sin(2 * np.pi * hz * np.arange(2 * rate) / rate)
    soundfile.write(path, tone.astype(np.float32), rate, format="OGG", subtype="VORBIS")
    with open(path, "rb") as file:
        return file.read()


def chained(name, second_rate):
    path = f"{sys.argv[1]}/{name}.ogg"
    content = part(f"{sys.argv[1]}/a.ogg", 44_100, 440) + part(f"{sys.argv[1]}/b.ogg", second_rate, 880)
    with open(path, "wb") as file:
        file.write(content)
    seconds, error = 0.0, ""
    with av.open(path) as container:
        try:
            for frame in container.decode(audio=0):
                seconds += frame.samples / frame.sample_rate
        except av.FFmpegError as raised:
            error = type(raised).__name__
    return seconds, error, soundfile.info(path).duration


same, changed = chained("same", 44_100), chained("changed", 22_050)
print("equal rates: PyAV {:.2f} s {}, libsndfile {:.2f} s".format(*same))
print("other rate: PyAV {:.2f} s {}, libsndfile {:.2f} s".format(*changed))
sys.exit(not (same[0] > 3.9 and not same[1] and changed[0] < 2.1 and changed[1]))
PYTHON
