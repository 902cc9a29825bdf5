"""One training step of the GAN: ours beside PyTorch's; run `python -m benchmarks.gan_step`."""
