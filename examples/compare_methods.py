"""Compare methods.

Three methods learn from the same trials and reconstruct the same images: the end-to-end GAN,
multi-scale local decoders and ridge regression to pixels.
"""

# %%
# ## One split for all
# The subject is simulated.
import matplotlib.pyplot as plt
import numpy as np

import fmri_jax as fj

recording = fj.datasets.make_simulated_subject(random_state=0, image_size=32)
train, test = fj.train_test_split(recording, by="given", roi="V1 + V2", average_repeats="all")
print("simulated:", train.fmri.shape, "training,", test.fmri.shape, "test")

# %%
# ## The same three lines for each
# The GAN is small, trained for seconds and without its feature loss; the published one takes
# 500,000 steps. This compares how methods are used, not what they reach at their best.
methods = {
    "ridge": fj.RidgeDecoder(),
    "local decoders": fj.MultiScaleDecoder(decoder="ridge", weights="equal", n_voxels=100),
    "GAN": fj.GANDecoder(
        n_steps=300,
        width=0.125,
        hidden=128,
        discriminator_width=0.125,
        feature_weight=0,
        fmri_noise=0.5,
        batch_size=16,
    ),
}
images = {
    name: method.fit(train.fmri, train.images).predict(test.fmri)
    for name, method in methods.items()
}

# %%
# ## Scores side by side
for name, made in images.items():
    scores = fj.metrics.score(test.images, made)
    print(
        f"{name:15} pixel correlation {scores['pixel_correlation']:.2f}"
        f"   SSIM {scores['ssim']:.2f}   detail error {scores['detail_error']:.2f}"
    )

# %%
# ## The picture
rows = {"target": test.images} | images
frame = [(0, 0), (1, 1), (1, 1), (0, 0)]  # white, around each image
strips = [np.pad(shown[::2], frame, constant_values=1) for shown in rows.values()]
figure, axis = plt.subplots(figsize=(9, 4))
axis.imshow(np.concatenate([np.concatenate(list(strip), axis=1) for strip in strips]))
axis.set_yticks(np.arange(len(rows)) * 34 + 17, rows)
axis.set(xticks=[], title="The same test images by three methods (simulated subject)")
axis.tick_params(length=0)
axis.spines[:].set_visible(False)
