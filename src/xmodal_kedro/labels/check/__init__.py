"""How good machine labels are, where it is known what is really heard and seen."""
