"""Review of machine labels by people: which clips are asked about, and what the answers show."""
