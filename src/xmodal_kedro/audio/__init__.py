"""Sound on its way to a network: the log-mel front end, augmentation, and the streaming loader."""
