"""What a user sees of the labels before anything is trained on them."""
