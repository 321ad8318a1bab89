"""Format of stored audio: 16-bit PCM, mono, at one sample rate."""

CLIP_SAMPLE_RATE_HZ = 16_000
"""Sample rate of all clips: that of the AudioSet reference front end and of the teachers."""

INT16_FULL_SCALE = 32_768
"""Samples divided by this lie in [-1, 1)."""
