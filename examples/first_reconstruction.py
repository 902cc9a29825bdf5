"""First reconstruction.

A simulated subject views photographs; ridge regression learns to turn its responses into
pixels and reconstructs photographs that it never saw: how good are they, and how good without a
brain?
"""

# %%
# ## A recording
# `make_simulated_subject` simulates the visual cortex of a person who views photographs: no brain
# was scanned. For your own file write `fj.load("mine.npz")` instead.
import matplotlib.pyplot as plt
import numpy as np

import fmri_jax as fj

recording = fj.datasets.make_simulated_subject(random_state=0, image_size=32)
print(f"simulated: {recording.fmri.shape[0]} trials of {recording.fmri.shape[1]} voxels")

# %%
# ## Training and test trials
# `by="given"` takes the test images that the recording names; none of them is in training. Each was
# viewed eight times, and averaging these trials removes much of the noise.
train, test = fj.train_test_split(recording, by="given", roi="V1 + V2", average_repeats="test")
print("training:", train.fmri.shape, train.images.shape)
print("test:    ", test.fmri.shape, test.images.shape)

# %%
# ## Fit and reconstruct
# The decoder standardises voxels by itself: give it responses in the units of the recording.
decoder = fj.RidgeDecoder().fit(train.fmri, train.images)
images = decoder.predict(test.fmri)

# %%
# ## Scores
# A score means little alone. The mean training image needs no brain at all, and reconstructions
# of shuffled responses show what a decoder gets right by chance.
mean_image = np.broadcast_to(train.images.mean(axis=0), test.images.shape)
shuffled = np.random.default_rng(0).permuted(test.fmri, axis=1)
answers = {"ridge": images, "mean image": mean_image, "shuffled": decoder.predict(shuffled)}
for name, answer in answers.items():
    scores = fj.metrics.score(test.images, answer)
    r, identified = scores["pixel_correlation"], scores["identification_2way"]
    print(f"{name:10}  pixel correlation {r:.2f}   2-way identification {identified:.2f}")

# %%
# ## The picture
rows = {"target": test.images} | answers
frame = [(0, 0), (1, 1), (1, 1), (0, 0)]  # white, around each image
strips = [np.pad(shown[::2], frame, constant_values=1) for shown in rows.values()]
figure, axis = plt.subplots(figsize=(9, 4))
axis.imshow(np.concatenate([np.concatenate(list(strip), axis=1) for strip in strips]))
axis.set_yticks(np.arange(len(rows)) * 34 + 17, rows)
axis.set(xticks=[], title="Every other test image and its reconstruction (simulated subject)")
axis.tick_params(length=0)
axis.spines[:].set_visible(False)
