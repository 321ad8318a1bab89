#!/bin/sh
# FFmpeg reads integers of 24 valid bits in 32, in an extensible WAV, as floats of an old editor.
#
# Versions: PyAV 18.1.0 (FFmpeg 8 inside), soundfile 0.14.0 (libsndfile 1.2), Python 3.9 or newer.
# Input: 1 s of a 440 Hz tone at half of full scale, made here: WAVE_FORMAT_EXTENSIBLE, sub-format PCM, 32 bits a sample
# of which 24 are valid, in the high bits. Drivers and recorders that capture 24 bits in words of 32 write such files;
# Microsoft's documentation of WAVEFORMATEXTENSIBLE gives wValidBitsPerSample for exactly this case.
# Behaviour seen: the codec is `pcm_f24le`, a format of floats between -2^23 and 2^23. Integers are read as the bits of
# floats, so that the tone is noise that has nothing to do with it; no error and no warning is given. libsndfile reads
# the tone. The same samples with 32 valid bits, or with tag 1 in place of the extensible one, are `pcm_s32le`, and right.
# Exit status: 0 if that is what happens, 1 if it has changed.
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 soundfile==0.14.0 numpy
"$folder/venv/bin/python" - "$folder/tone.wav" <<'PYTHON'
import struct
import sys

import av
import numpy as np
import soundfile

RATE = 48_000
TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
SUB_FORMAT_PCM = bytes.fromhex("0100000000001000800000aa00389b71")


def write(path, valid_bits):
    samples = ((TONE * 2**23).astype(np.int32) << 8).astype("<i4").tobytes()
    extensible = struct.pack("<HHIIHHHHI", 0xFFFE, 1, RATE, 4 * RATE, 4, 32, 22, valid_bits, 4) + SUB_FORMAT_PCM
    chunks = b"fmt " + struct.pack("<I", len(extensible)) + extensible
    chunks += b"data" + struct.pack("<I", len(samples)) + samples
    with open(path, "wb") as file:
        file.write(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)


def read(path):
    with av.open(path) as container:
        codec = container.streams.audio[0].codec_context.name
        frames = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
    audio = np.nan_to_num(np.concatenate(frames).astype(float))
    return codec, abs(np.corrcoef(audio[: len(TONE)], TONE[: len(audio)])[0, 1])


write(sys.argv[1], 24)
codec, likeness = read(sys.argv[1])
other = abs(np.corrcoef(soundfile.read(sys.argv[1])[0], TONE)[0, 1])
write(sys.argv[1], 32)
codec_32, likeness_32 = read(sys.argv[1])
print(f"24 valid bits: PyAV reads {codec}, correlation with the tone {likeness:.3f}; libsndfile {other:.3f}")
print(f"32 valid bits: PyAV reads {codec_32}, correlation {likeness_32:.3f}")
sys.exit(not (codec == "pcm_f24le" and likeness < 0.5 and other > 0.999 and codec_32 == "pcm_s32le" and likeness_32 > 0.999))
PYTHON
