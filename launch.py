"""Runs one experiment: python launch.py --config=experiments/gan_vc.py --workdir=runs/gan_vc.

`fmri-jax run gan_vc` does the same where the package is installed, from any folder.
`python launch.py --help` lists the flags.
"""

import sys

from fmri_jax.commands.run import main_of_launcher

if __name__ == "__main__":
    sys.exit(main_of_launcher(sys.argv[1:]))
