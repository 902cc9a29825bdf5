"""Keep a decoder and apply it to new responses.

A fitted decoder is saved into a folder, loaded in another session, and reconstructs from new
responses of the same subject; averaging more trials of an image sharpens what it makes of it.
"""

# %%
# ## Fit once
# All of it is simulated: a subject views 200 photographs three times each.
import tempfile

import matplotlib.pyplot as plt
import numpy as np

import fmri_jax as fj

recording = fj.datasets.make_simulated_subject(random_state=0, image_size=32)
train, test = fj.train_test_split(recording, by="given", roi="V1 + V2")
decoder = fj.RidgeDecoder().fit(train.fmri, train.images)

# %%
# ## Keep it
# The folder holds safetensors and JSON, no Python objects: it is safe to open, also somebody
# else's. A run of `fmri-jax run` leaves such folders in `decoders/`.
folder = tempfile.mkdtemp()
decoder.save(folder)

# %%
# ## In another session
# The decoder owns its voxel statistics: new responses go in as they were recorded. They have to be
# of the same subject and voxels, in the same order.
decoder = fj.load_decoder(folder)
N_REPEATS = (1, 2, 4, 8)
shown = np.unique(test.stimulus)
targets = np.stack([test.images[test.stimulus == stimulus][0] for stimulus in shown])
made = {}
for n in N_REPEATS:
    trials = [np.flatnonzero(test.stimulus == stimulus)[:n] for stimulus in shown]
    fmri = np.stack([test.fmri[rows].mean(axis=0) for rows in trials])
    made[n] = decoder.predict(fmri)
    score = fj.metrics.score(targets, made[n])["pixel_correlation"]
    print(f"simulated responses averaged over {n}: pixel correlation {score:.2f}")

# %%
# ## The picture
# On the command line: `fmri-jax reconstruct FOLDER new.npz --out made`.
frame = [(0, 0), (1, 1), (1, 1), (0, 0)]  # white, around each image
rows = [np.pad(images[::2], frame, constant_values=1) for images in (targets, *made.values())]
figure, axis = plt.subplots(figsize=(9, 4.6))
axis.imshow(np.concatenate([np.concatenate(list(row), axis=1) for row in rows]))
names = ["target", *(f"{n} trial" + "s" * (n > 1) for n in N_REPEATS)]
axis.set_yticks(np.arange(len(rows)) * 34 + 17, names)
axis.set(xticks=[], title="Reconstructions from averages of 1 to 8 trials (simulated)")
axis.tick_params(length=0)
axis.spines[:].set_visible(False)
