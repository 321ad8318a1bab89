#!/bin/sh
# safetensors 0.8 writes weights that only their owner can read, whatever the umask says; 0.5 wrote them as all files.
#
# Versions: safetensors 0.8.0 beside 0.5.3, NumPy 2.2.6, Python 3.10 or newer.
# Input: one tensor of two zeros, saved by `save_file` under a umask of 022, once by each version.
# Behaviour seen: 0.5.3 leaves a file of mode 0644. 0.8.0 writes to a temporary file, which is private, and moves it into
# place with that mode: 0600. Nothing in its arguments asks for another. On storage that a team or a cluster's workers
# share under several accounts, a training that was upgraded leaves checkpoints and weights that nobody else can open,
# beside a card and a history that all can. `save` and an ordinary write have the usual mode.
# Exit status: 0 if that is what happens, 1 if it has changed.
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
umask 022
for version in 0.5.3 0.8.0; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet "safetensors==$version" numpy==2.2.6
    "$folder/$version/bin/python" - "$folder/$version.safetensors" <<'PYTHON'
import sys

import numpy as np
from safetensors.numpy import save_file

save_file({"weight": np.zeros(2, np.float32)}, sys.argv[1])
PYTHON
done
earlier=$(stat -c %a "$folder/0.5.3.safetensors")
now=$(stat -c %a "$folder/0.8.0.safetensors")
echo "mode of the file under a umask of 022: $earlier by safetensors 0.5.3, $now by 0.8.0"
[ "$earlier" = 644 ] && [ "$now" = 600 ]
