"""Score images made by any other tool.

Reconstructions of a published model, or of your own script, are scored like those of this
package: give the images that were viewed and the reconstructions, in the same order.
"""

# %%
# ## Two sets of images
# Both are arrays (n, height, width, channels), uint8 or in [0, 1]. Here two imaginary tools are
# simulated: one blurs the targets, the other adds noise.
import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter

import fmri_jax as fj

recording = fj.datasets.make_simulated_subject(random_state=1, image_size=64, n_training=100)
train, test = fj.train_test_split(recording, by="given", average_repeats="test")
targets, rng = test.images, np.random.default_rng(0)
tools = {
    "blurs": gaussian_filter(targets, (0, 3, 3, 0)),
    "adds noise": np.clip(targets + rng.normal(0, 0.2, targets.shape), 0, 1).astype(np.float32),
    "mean image": np.broadcast_to(train.images.mean(axis=0), targets.shape),
}

# %%
# ## Scores
# `training_images` adds identification against every training image: is the reconstruction closer
# to its target than to anything that the tool has learned from?
METRICS = ("pixel_correlation", "ssim", "detail_error", "identification_vs_train")
scores = {
    name: fj.metrics.score(targets, images, training_images=train.images)
    for name, images in tools.items()
}
print(f"simulated tools   {'  '.join(METRICS)}")
for name, found in scores.items():
    print(f"{name:16}", *(f"{found[metric]:{len(metric) + 1}.2f}" for metric in METRICS))

# %%
# ## No single score ranks them
# The blurred images win in pixel correlation, the noisy ones keep every edge. The detail error is
# the absolute log2 ratio of gradient energy: too little detail and too much of it both count.
# Identification is near its ceiling for both, so it does not tell them apart.
#
# On the command line, `fmri-jax score targets.npz reconstructions.npz` writes the table as a page.
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.3), width_ratios=(1.7, 1))
frame = [(0, 0), (2, 2), (2, 2), (0, 0)]  # white, around each image
rows = [np.pad(images[::3], frame, constant_values=1) for images in (targets, *tools.values())]
left.imshow(np.concatenate([np.concatenate(list(row), axis=1) for row in rows]))
left.set_yticks(np.arange(len(rows)) * 68 + 34, ["target", *tools])
left.set(xticks=[], title="Targets and simulated reconstructions")
left.tick_params(length=0)
left.spines[:].set_visible(False)
places = np.arange(2)
for number, (name, found) in enumerate(scores.items()):
    heights = [found["pixel_correlation"], found["ssim"]]
    right.bar(places + 0.27 * (number - 1), heights, 0.25, label=name, color=f"C{number}")
right.set_xticks(places, ["pixel correlation", "SSIM"])
right.legend(frameon=False, fontsize=8)
right.spines[["top", "right"]].set_visible(False)
figure.tight_layout()
