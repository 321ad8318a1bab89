"""Shot boundaries, found without decoding every frame."""
