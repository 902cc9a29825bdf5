"""Very deep VAE."""
