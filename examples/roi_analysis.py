"""Compare visual areas.

Which area holds how much of the image? The same decoder is fitted to the voxels of each area
and all are scored on the same test images, with intervals.
"""

# %%
# ## A simulated subject
# Early areas see local contrast and colour, late ones (LOC, FFA) mix features of a deep network.
# Areas differ in size, and more voxels decode better: each area therefore gives the same number.
import matplotlib.pyplot as plt
import numpy as np

import fmri_jax as fj

AREAS, N_VOXELS = ("V1", "V2", "V4", "LOC", "FFA"), 90
recording = fj.datasets.make_simulated_subject(
    random_state=0, image_size=32, n_voxels=1200, areas=AREAS
)
print("simulated voxels:", {area: int(recording.rois[area].sum()) for area in AREAS})

# %%
# ## One decoder per area
# `roi` takes expressions, too: `"V1 + V2"`, `"VC - V1"`. Brackets hold 95 % intervals
# over the test images.
rng = np.random.default_rng(0)
images, correlation = {}, {}
for area in AREAS:
    train, test = fj.train_test_split(recording, by="given", roi=area, average_repeats="test")
    voxels = rng.choice(train.fmri.shape[1], N_VOXELS, replace=False)
    decoder = fj.RidgeDecoder().fit(train.fmri[:, voxels], train.images)
    images[area] = decoder.predict(test.fmri[:, voxels])
    scores = fj.metrics.score_images(test.images, images[area])
    correlation[area] = scores.values["pixel_correlation"]
    found = fj.metrics.summarise(scores, test.stimulus)["pixel_correlation"]
    print(f"{area}: {found.value:.2f} [{found.low:.2f}, {found.high:.2f}]")

# %%
# ## Are two areas different?
# Intervals that overlap do not settle it. The same images were reconstructed from each area, so
# compare them image by image.
for area in AREAS[1:]:
    difference = correlation["V1"] - correlation[area]
    resampled = rng.choice(difference, (2000, len(difference))).mean(axis=1)
    low, high = np.quantile(resampled, (0.025, 0.975))
    print(f"V1 - {area}: {difference.mean():+.2f} [{low:+.2f}, {high:+.2f}]")

# %%
# ## The picture
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), width_ratios=(1.3, 1))
frame = [(0, 0), (1, 1), (1, 1), (0, 0)]  # white, around each image
rows = [np.pad(row[1::3], frame, constant_values=1) for row in (test.images, *images.values())]
left.imshow(np.concatenate([np.concatenate(list(row), axis=1) for row in rows]))
left.set_yticks(np.arange(len(rows)) * 34 + 17, ["target", *AREAS])
left.set(xticks=[], title="Reconstructions from each area (simulated)")
left.tick_params(length=0)
left.spines[:].set_visible(False)
for place, area in enumerate(AREAS):
    jitter = rng.uniform(-0.12, 0.12, len(correlation[area]))
    right.plot(place + jitter, correlation[area], "o", ms=4, alpha=0.4, color="C0", mew=0)
    right.plot([place - 0.25, place + 0.25], [correlation[area].mean()] * 2, color="C1", lw=2.5)
right.set_xticks(range(len(AREAS)), AREAS)
right.set(ylabel="pixel correlation", title="Each image, and the mean")
right.spines[["top", "right"]].set_visible(False)
figure.tight_layout()
