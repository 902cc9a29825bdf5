"""Your own recording.

From arrays as a laboratory has them to a file, to a check of the data, and to cross-validated
reconstructions with a report.
"""

# %%
# ## Three arrays
# Responses (trials, voxels), the number of the image that each trial showed, and the images. These
# are simulated: each voxel adds up the pixels of its receptive field, in one colour, with noise.
import pathlib
import tempfile

import matplotlib.pyplot as plt
import numpy as np

import fmri_jax as fj

N_IMAGES, N_REPEATS, SIDE, N_VOXELS = 60, 4, 12, 300
rng = np.random.default_rng(0)
y, x = np.mgrid[:SIDE, :SIDE]
images = np.zeros((N_IMAGES, SIDE, SIDE, 3))
for image in images:  # two discs of random colour
    for _ in range(2):
        row, column, radius = *rng.uniform(1, SIDE - 1, 2), rng.uniform(2, 4.5)
        image[(y - row) ** 2 + (x - column) ** 2 < radius**2] = rng.uniform(0.2, 1, 3)
centres = rng.uniform(0, SIDE, (N_VOXELS, 2, 1, 1))
fields = np.exp(-((y - centres[:, 0]) ** 2 + (x - centres[:, 1]) ** 2) / 4)
colours = rng.dirichlet((0.6, 0.6, 0.6), N_VOXELS)
stimulus = np.tile(np.arange(N_IMAGES), N_REPEATS)
signal = np.einsum("nhwc,vhw,vc->nv", images, fields, colours)[stimulus]
gain = rng.exponential(1, N_VOXELS)
fmri = 100 + gain * (signal / signal.std() + rng.normal(0, 1.5, signal.shape))

# %%
# ## One file
# Count images from 0. Do not z-score and do not average repeats: both belong into
# cross-validation.
path = pathlib.Path(tempfile.mkdtemp()) / "mine.npz"
np.savez(
    path,
    fmri=fmri.astype(np.float32),
    stimulus=stimulus,
    images=np.round(255 * images).astype(np.uint8),
    run=np.repeat(np.arange(N_REPEATS), N_IMAGES),
    description="Simulated voxels that view discs.",
)
recording = fj.load(path)
print(f"{recording.fmri.shape[0]} trials of {recording.fmri.shape[1]} voxels, simulated")

# %%
# ## Look before you decode
# A voxel that answers to images gives similar responses to their repeats. If nearly all
# correlations are around 0, look for trials in the wrong order before you train anything.
order = np.argsort(recording.stimulus, kind="stable")
repeats = recording.fmri[order].reshape(N_IMAGES, N_REPEATS, N_VOXELS)
odd, even = (repeats[:, start::2].mean(axis=1) for start in (0, 1))
z = [(half - half.mean(axis=0)) / half.std(axis=0) for half in (odd, even)]
reliability = (z[0] * z[1]).mean(axis=0)
print(f"median correlation of odd and even repeats: {np.median(reliability):.2f}")

# %%
# ## Leave images out
# All trials of an image are on one side, or the decoder would recognise what it has seen.
train, test = fj.train_test_split(recording, by="stimulus", average_repeats="test")
decoder = fj.RidgeDecoder().fit(train.fmri, train.images)
made = decoder.predict(test.fmri)
print({name: round(value, 2) for name, value in fj.metrics.score(test.images, made).items()})

# %%
# ## The picture
# `fj.cross_validate(decoder, recording, cv=5).report("report.html")` does this for every image
# once, beside all baselines; `fmri-jax inspect mine.npz` checks the file on the command line.
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.6), width_ratios=(1, 2.8))
left.hist(reliability, bins=30, color="C0")
left.set(xlabel="correlation of odd and even repeats", ylabel="voxels")
left.spines[["top", "right"]].set_visible(False)
frame = [(0, 0), (0, 1), (0, 1), (0, 0)]  # white, between images
rows = [np.pad(row[:8], frame, constant_values=1) for row in (test.images, made)]
right.imshow(np.concatenate([np.concatenate(list(row), axis=1) for row in rows]))
right.set_yticks([SIDE / 2, 1.5 * SIDE + 1], ["target", "decoded"])
right.set(xticks=[], title="Images left out of training (simulated)")
right.tick_params(length=0)
right.spines[:].set_visible(False)
figure.tight_layout()
