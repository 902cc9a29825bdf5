"""One training step of the GAN: ours beside PyTorch's; run `python -m benchmarks.gan_step`."""

import os

# On a GPU both sides need memory: JAX takes this share of it. Must precede `import jax`.
os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.4")
