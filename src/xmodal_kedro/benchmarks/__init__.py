"""What a trained network is worth on labelled benchmarks that it has never heard."""
