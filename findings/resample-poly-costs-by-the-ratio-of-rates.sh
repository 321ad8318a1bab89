#!/bin/sh
# scipy.signal.resample_poly takes tens of times the memory and time for a recording whose rate is one hertz off.
#
# Versions: SciPy 1.17.1, NumPy 2.3.5, Python 3.11 or newer.
# Input: one second of noise, float32, at 48,000 Hz and at 47,999 Hz, resampled to 16,000 Hz by the reduced ratio of rates.
# Behaviour seen: 48,000 to 16,000 is 1 to 3, and takes 2 ms and less than 1 MB. 47,999 to 16,000 has no common divisor, and
# takes 0.13 s and 46 MB; 191,999 Hz 0.6 s and 184 MB. The cost is that of the low-pass filter that is made anew in each call: it has 20
# taps for each unit of the larger number of the ratio, whatever the sound's length, in double precision, though the sound
# is float32. So a corpus of a recorder whose header has the rate that its clock was measured at costs as much for a clip
# of one second as for one of ten, and most of it is not resampling. A resampler that interpolates between the phases
# of one filter, such as soxr's or FFmpeg's, takes the same for both rates.
# Exit status: 0 if that is what happens, 1 if it has changed.
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet scipy==1.17.1 numpy==2.3.5
"$folder/venv/bin/python" - <<'PYTHON'
import math
import sys
import time
import tracemalloc

import numpy as np
from scipy.signal import resample_poly

WANTED_HZ = 16_000
peaks = {}
for rate_hz in (48_000, 47_999, 191_999):
    sound = np.random.default_rng(0).normal(size=rate_hz).astype(np.float32)
    common = math.gcd(rate_hz, WANTED_HZ)
    tracemalloc.start()
    began = time.process_time()
    made = resample_poly(sound, WANTED_HZ // common, rate_hz // common)
    spent = time.process_time() - began
    peaks[rate_hz] = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    print(f"{rate_hz} to {WANTED_HZ} Hz: {len(made)} samples, {made.dtype}, {spent:.3f} s, {peaks[rate_hz]:.1f} MB at most")
sys.exit(0 if peaks[48_000] < 2 and peaks[47_999] > 30 and peaks[191_999] > 120 else 1)
PYTHON
