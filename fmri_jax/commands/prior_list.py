"""The text of `fmri-jax prior list`."""

from fmri_jax.priors import files, recipes, registry

# Published priors: parameters of their networks, which take seconds to count, and the sets of
# weights that make them, where these have other names.
PARAMETERS = {"vdvae_imagenet64": 125_005_860}
PARTS = {"versatile_diffusion": ("versatile_diffusion_unet", "sd1_autoencoder")}


def text() -> str:
    """Priors of the package, published ones, and those that can be trained."""
    packaged = [name for name in registry.names() if name not in registry.PUBLISHED]
    lines = ["priors of this package:"]
    lines += [line for name in packaged for line in _of_package(name)] or ["  none"]
    lines += ["", "published priors:"]
    lines += [line for name in registry.PUBLISHED for line in _published(name)]
    lines += ["", "to be trained on photographs (fmri-jax prior train NAME --images ...):"]
    lines += [
        f"  {name}: {recipe.what} ({recipe.options.n_steps:,} steps)"
        for name, recipe in recipes.RECIPES.items()
    ]
    return "\n".join(lines)


def _of_package(name: str) -> list[str]:
    """What the card of a prior says."""
    folder = registry.PACKAGED / name
    about, _ = files.load(folder)
    size = (folder / files.ARRAYS).stat().st_size
    return [
        f"  {name}: {about.get('kind')}, {about.get('parameters', 0):,} parameters, "
        f"{size / 1e6:.1f} MB",
        f"    licence: {about.get('card', {}).get('licence', 'not stated')}",
    ]


def _published(name: str) -> list[str]:
    """What is known of published weights, and whether they are at hand."""
    from fmri_jax.pretrained import cache, sources
    from fmri_jax.pretrained.catalogue import CATALOGUE

    size = f" ({PARAMETERS[name]:,} parameters)" if name in PARAMETERS else ""
    lines = [f"  {name}{size}"]
    for part in PARTS.get(name, (name,)):
        weights = CATALOGUE[part]
        installed = any(sources.installed_file(each) for each in weights.publications)
        there = installed or cache.describe(part) is not None
        state = "at hand" if there else f"not at hand: fmri-jax weights get {part}"
        lines += [f"    {weights.what}", f"    {state}"]
    return lines
