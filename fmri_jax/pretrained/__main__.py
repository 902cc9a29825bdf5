"""Lists the published weights: python -m fmri_jax.pretrained."""

import argparse

from fmri_jax.pretrained import cache, sources
from fmri_jax.pretrained.catalogue import CATALOGUE


def main() -> None:
    """Prints, for each set of weights, what it is, whether it is at hand, origin and checksum."""
    print(f"cache folder: {cache.folder()}\n")
    for name, weights in CATALOGUE.items():
        kept = cache.describe(name)
        print(f"{name}: {weights.what}")
        if kept:
            print(f"  cached, from {kept['origin']}\n  SHA-256 of the cached file {kept['sha256']}")
        for publication in weights.publications:
            path = sources.installed_file(publication)
            state = f"installed at {path}" if path else "not installed here"
            print(f"  {publication.origin}\n    {state}")
            checksum = f"{publication.algorithm} {publication.checksum}"
            print(f"    {checksum if publication.checksum else 'no checksum is published'}")
        print()


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m fmri_jax.pretrained", description=__doc__).parse_args()
    main()
