"""`python -m fmri_jax` is the command `fmri-jax`."""

import sys

from fmri_jax.cli import main

if __name__ == "__main__":
    sys.exit(main())
