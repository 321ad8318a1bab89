"""A classifier of one's own: labelled clips become a head on a trained network, or a fine-tuned network."""
