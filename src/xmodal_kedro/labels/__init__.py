"""From the labels of two teachers to training targets."""
