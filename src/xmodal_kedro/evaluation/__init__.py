"""What a trained network is worth on labelled benchmarks that it was not trained on."""
