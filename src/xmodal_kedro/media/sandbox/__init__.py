"""The decoder process, in which untrusted files are opened."""
