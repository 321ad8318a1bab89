"""Recordings that are the same under another name: re-encodes, copies, excerpts."""
