"""Features of sound: the log-mel front end, and augmentation."""
