"""How sound is stored: 16-bit PCM, mono, at one rate."""

CLIP_SAMPLE_RATE_HZ = 16_000
"""Every clip is stored at this rate: the AudioSet reference front end's, and the teachers'."""

INT16_FULL_SCALE = 32_768
"""Samples divided by this lie in [-1, 1)."""
