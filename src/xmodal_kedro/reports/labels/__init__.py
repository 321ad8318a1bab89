"""The label report."""
