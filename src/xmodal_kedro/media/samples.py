"""Samples of decoded audio frames as arrays, of any sample format.

`AudioFrame.to_ndarray` is not used: it takes the line size of a plane for its length.
"""

from __future__ import annotations

import numpy as np
from av.audio.frame import AudioFrame

DTYPES = {"u8": np.uint8, "s16": np.int16, "s32": np.int32, "s64": np.int64, "flt": np.float32, "dbl": np.float64}


def samples_of(frame: AudioFrame) -> np.ndarray:
    """The samples in the frame's own type: [channels, samples]. They share memory with the frame."""
    dtype, channels, count = np.dtype(DTYPES[frame.format.packed.name]), frame.layout.nb_channels, frame.samples
    if frame.format.is_planar:
        planes = frame.planes[:channels]  # of eight channels, PyAV gives a ninth plane, which is none
        return np.stack([np.frombuffer(memoryview(plane), dtype, count) for plane in planes])
    return np.frombuffer(memoryview(frame.planes[0]), dtype, channels * count).reshape(count, channels).T


def full_scale_samples_of(frame: AudioFrame) -> np.ndarray:
    """The samples, full scale 1.0: float64 [channels, samples]."""
    return _scaled(samples_of(frame), np.dtype(np.float64))


def float_samples_of(frame: AudioFrame) -> np.ndarray:
    """The samples, full scale 1.0: float32 [channels, samples]."""
    return _scaled(samples_of(frame), np.dtype(np.float32))


def _scaled(audio_CT: np.ndarray, dtype: np.dtype) -> np.ndarray:
    scaled_CT = audio_CT.astype(dtype, copy=False)
    if audio_CT.dtype.kind == "f":
        return scaled_CT
    if audio_CT.dtype == np.uint8:
        scaled_CT = scaled_CT - dtype.type(128)
    return scaled_CT * dtype.type(2.0 ** (1 - 8 * audio_CT.dtype.itemsize))


def with_samples(frame: AudioFrame, audio_CT: np.ndarray) -> AudioFrame:
    """A frame like another, with other samples of the same type and shape."""
    new = AudioFrame(frame.format.name, frame.layout, frame.samples)
    new.sample_rate, new.pts = frame.sample_rate, frame.pts
    if frame.time_base:
        new.time_base = frame.time_base
    planes = list(audio_CT) if frame.format.is_planar else [audio_CT.T]
    for plane, samples in zip(new.planes[: len(planes)], planes, strict=True):
        data = np.ascontiguousarray(samples).tobytes()
        plane.update(data.ljust(plane.buffer_size, b"\0"))
    return new


def silent_frame(like: AudioFrame, samples: int) -> AudioFrame:
    """A frame of silence, of the same format, layout and rate as another, without a time."""
    frame = AudioFrame(like.format.name, like.layout, samples)
    frame.sample_rate = like.sample_rate
    silence = b"\x80" if like.format.packed.name == "u8" else b"\0"
    for plane in frame.planes[: like.layout.nb_channels if like.format.is_planar else 1]:
        plane.update(silence * plane.buffer_size)
    return frame
