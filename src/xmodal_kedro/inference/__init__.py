"""A trained network over any recordings."""
