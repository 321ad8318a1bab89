"""Supervised training of a backbone on clips and their machine labels."""
