"""Near-duplicate videos that hold the same recording: re-encodes, copies, excerpts."""
