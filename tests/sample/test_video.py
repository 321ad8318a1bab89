"""Rendered videos are real files: they decode, have true times, and the same bytes everywhere."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import av
import joblib
import numpy as np
import pytest
from numpy.typing import NDArray

from xmodal_kedro.sample.scenes import CONTAINERS, Container, Scene, Script
from xmodal_kedro.sample.video import render_video, scene_sound


def _script(container: Container = "mp4", has_sound: bool = True, **changes: object) -> Script:
    scenes = (
        Scene(duration_s=1.5, seen="dog", heard=("dog",), level_dbfs=-15, noise_dbfs=-50),
        Scene(duration_s=1.0, seen="", heard=(), level_dbfs=-15, noise_dbfs=None),
        Scene(duration_s=2.0, seen="statue", heard=("rain", "siren"), level_dbfs=-20, noise_dbfs=-60),
    )
    script = Script(
        name="a", container=container, width=160, height=120, fps=8, has_sound=has_sound, scenes=scenes, seed=0, index=7
    )
    return script.model_copy(update=changes)


def _decode(content: bytes) -> tuple[list[av.VideoFrame], NDArray[np.float64]]:
    with av.open(io.BytesIO(content)) as container:
        pictures = list(container.decode(video=0))
    with av.open(io.BytesIO(content)) as container:
        resampler = av.AudioResampler("s16", "mono", 16_000)
        parts = [out.to_ndarray()[0] for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    return pictures, np.concatenate(parts) / 32768


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_file_decodes_to_the_scripted_pictures_and_sound(container: Container) -> None:
    pictures, audio = _decode(render_video(_script(container)))
    assert len(pictures) == 36
    assert (pictures[0].width, pictures[0].height) == (160, 120)
    assert len(audio) / 16_000 == pytest.approx(4.5, abs=0.15)


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_cut_is_a_keyframe(container: Container) -> None:
    pictures, _ = _decode(render_video(_script(container)))
    assert {0, 12, 20} <= {at for at, picture in enumerate(pictures) if picture.key_frame}


def test_digital_silence_stays_silent() -> None:
    _, audio = _decode(render_video(_script("mkv")))
    silence = audio[round(1.6 * 16_000) : round(2.4 * 16_000)]
    assert not silence.any()
    assert np.abs(audio).max() > 0.1


def test_a_video_without_sound_has_no_audio_stream() -> None:
    with av.open(io.BytesIO(render_video(_script(has_sound=False)))) as container:
        assert not container.streams.audio
        assert container.streams.video


@pytest.mark.parametrize("container", CONTAINERS)
def test_bytes_are_the_same_again_and_in_another_process(container: Container) -> None:
    script = _script(container)
    here = render_video(script)
    with joblib.parallel_config("loky", n_jobs=2):
        there = joblib.Parallel()(joblib.delayed(render_video)(script) for _ in range(2))
    assert render_video(script) == here
    assert list(there) == [here, here]
    assert render_video(_script(container, seed=1)) != here


def test_bytes_do_not_depend_on_how_busy_the_machine_is(tmp_path: Path) -> None:
    script = _script("webm", width=640, height=480, fps=16)
    # To a file: an interrupted process writes a part to a pipe, and an unbuffered `sys.stdout` drops the rest.
    made = tmp_path / "made.webm"
    code = (
        "import sys; from pathlib import Path;"
        "from xmodal_kedro.sample.scenes import Script; from xmodal_kedro.sample.video import render_video;"
        "script = Script.model_validate_json(sys.stdin.readline()); print(flush=True);"
        "Path(sys.argv[1]).write_bytes(render_video(script))"
    )
    command = [sys.executable, "-c", code, str(made)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin and child.stdout
        child.stdin.write(script.model_dump_json().encode() + b"\n")
        child.stdin.flush()
        child.stdout.readline()
        interrupted = threading.Thread(target=_interrupt, args=[child], daemon=True)
        interrupted.start()
        assert child.wait() == 0
        interrupted.join()
    assert made.read_bytes() == render_video(script)


def _interrupt(child: subprocess.Popen[bytes]) -> None:
    """Pause a process repeatedly until it ends, as on a machine with a high load."""
    while child.poll() is None:
        child.send_signal(signal.SIGSTOP)
        time.sleep(0.03)
        child.send_signal(signal.SIGCONT)
        time.sleep(0.01)


def test_the_visible_source_is_driven_by_its_own_sound() -> None:
    scene = Scene(duration_s=6.0, seen="dog", heard=("dog",), level_dbfs=-15, noise_dbfs=-70)
    audio, drive = scene_sound(np.random.default_rng(0), scene, fps=10)
    level = np.sqrt(np.mean((audio / 32767.0).reshape(len(drive), -1) ** 2, axis=1))
    assert drive.min() >= 0
    assert 0.5 < drive.max() <= 1
    assert np.corrcoef(drive, level)[0, 1] > 0.8


def test_the_visible_object_is_at_rest_while_another_sounds() -> None:
    scene = Scene(duration_s=2.0, seen="dog", heard=("rain",), level_dbfs=-15, noise_dbfs=-70)
    _, drive = scene_sound(np.random.default_rng(0), scene, fps=8)
    assert not drive.any()
