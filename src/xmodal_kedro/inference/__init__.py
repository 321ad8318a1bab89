"""Trained networks in use: one sound, many recordings, and other tools' interfaces."""
