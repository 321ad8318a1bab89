"""How good machine labels are, where the truth is known."""
