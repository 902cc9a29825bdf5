"""What each region is worth to a method: every region alone, and all voxels without it.

python launch.py --config=experiments/regions.py                     # of brain_diffuser
python launch.py --config=experiments/regions.py:feature_decoding    # of another experiment
python launch.py --config=experiments/regions.py:brain_diffuser:object2vec
python launch.py --config=experiments/regions.py --jobs=4

The page of each run of brain_diffuser and feature_decoding also says what each region's voxels
alone decode of every layer, latent and embedding; `--config.evaluation.roi_activation` adds the
images that a decoder makes where one region alone responds.
"""

from fmri_jax.errors import InputError
from fmri_jax.pipeline.experiment_files import load

# Regions by the recording's reader, or the end of its file's name.
REGIONS = {
    "virtual_subject": ("V1", "V2", "V3", "V4", "LOC", "FFA", "PPA"),
    "object2vec_subj001.npz": ("EVC", "LOC", "FFA", "PPA"),
}


def get_config(arg: str = ""):
    config = load(arg or "brain_diffuser")
    source = config.data.name if config.data.name != "file" else str(config.data.path)
    found = [regions for name, regions in REGIONS.items() if source.endswith(name)]
    if not found:
        raise InputError(
            f"experiments/regions.py does not know the regions of {source}: add them to REGIONS; "
            "`fmri-jax inspect` lists them."
        )
    # The base experiment may choose a part, beside which other regions would have to be named.
    config.preparation.roi = whole = "VC" if source == "virtual_subject" else "all"
    config.title = f"Regions: {config.title}"
    config.text += " Rows see one region alone, or all voxels but those of a region."
    rows = [(name, {"preparation": {"roi": name}}) for name in found[0]]
    rows += [
        (f"Without {name}", {"preparation": {"roi": f"{whole} - {name}"}}) for name in found[0]
    ]
    config.sweep = {"variants": (("All voxels", {}), *rows)}
    return config
