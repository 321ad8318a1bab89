"""The order of clips in an epoch, and the loader that streams them."""
