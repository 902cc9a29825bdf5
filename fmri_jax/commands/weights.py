"""`fmri-jax weights`: lists the published weights, what is at hand, origins and checksums.

`fmri-jax weights get NAME` fetches, checks and keeps one set of them, or takes it from a file that
was downloaded elsewhere, or another address: `--from PATH_OR_URL`.
"""

import argparse

from fmri_jax import pretrained
from fmri_jax.pretrained import cache, sources
from fmri_jax.pretrained.catalogue import CATALOGUE
from fmri_jax.pretrained.vocabularies import VOCABULARIES


def main(arguments: list[str]) -> int:
    """Prints the list, or gets one set of weights; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="fmri-jax weights",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    get = commands.add_parser("get", help="get one set of weights")
    get.add_argument("name", metavar="NAME", help=", ".join(CATALOGUE))
    get.add_argument("--from", dest="source", help="the published file, or its address")
    given = parser.parse_args(arguments)
    if given.command == "get":
        pretrained.get(given.name, given.source)
        _describe(given.name)
    else:
        print(f"cache folder: {cache.folder()}\n")
        for name in CATALOGUE:
            _describe(name)
            print()
    return 0


def _describe(name: str) -> None:
    """Prints what a set of weights is, whether it is at hand, origins and checksums."""
    weights, kept = CATALOGUE[name], cache.describe(name)
    print(f"{name}: {weights.what}")
    if kept:
        print(f"  cached, from {kept['origin']}\n  SHA-256 of the cached file {kept['sha256']}")
    for publication in weights.publications:
        path = sources.installed_file(publication)
        state = f"installed at {path}" if path else "not installed here"
        print(f"  {publication.origin}\n    {state}")
        checksum = f"{publication.algorithm} {publication.checksum}"
        print(f"    {checksum if publication.checksum else 'no checksum is published'}")
    for file in VOCABULARIES.get(name, ()):
        path = sources.installed_file(file)
        print(f"  vocabulary: {file.origin}")
        print(f"    {f'installed at {path}' if path else 'not installed here'}")
