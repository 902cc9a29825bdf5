"""Choose options on nested folds.

Options that were chosen on the test images flatter the score. Nested folds choose them on the
training trials alone, once for each outer fold; every decoder is a scikit-learn estimator, so its
tools do this.
"""

# %%
# ## Simulated contrast patterns
# Each of 100 voxels adds up the pixels around its receptive field, with much noise.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV, GroupKFold

import fmri_jax as fj

N_IMAGES, N_REPEATS, SIDE, N_VOXELS = 80, 2, 6, 100
rng = np.random.default_rng(0)
patterns = (rng.random((N_IMAGES, SIDE, SIDE)) < 0.5).astype(np.float32)
images = np.repeat(patterns, N_REPEATS, axis=0)
stimulus = np.repeat(np.arange(N_IMAGES), N_REPEATS)
y, x = np.mgrid[:SIDE, :SIDE]
centres = rng.uniform(0, SIDE - 1, (N_VOXELS, 2, 1, 1))
fields = np.exp(-((y - centres[:, 0]) ** 2 + (x - centres[:, 1]) ** 2))
signal = np.einsum("nhw,vhw->nv", images, fields)
fmri = signal / signal.std() + rng.normal(0, 0.6, signal.shape)

# %%
# ## Inner folds choose, outer folds score
# All trials of an image stay together in both, so no decoder is tested on an image it has seen.
options = {"alpha": [1.0, 10.0, 100.0, 1000.0], "scales": [1, 2]}
decoder = fj.MultiScaleDecoder(decoder="ridge", weights="equal", n_voxels=100)
curves, outer, chosen = [], [], []
for train, test in GroupKFold(4).split(fmri, images, stimulus):
    search = GridSearchCV(decoder, options, cv=GroupKFold(3))
    search.fit(fmri[train], images[train], groups=stimulus[train])
    curves.append(search.cv_results_["mean_test_score"])
    outer.append(search.score(fmri[test], images[test]))
    chosen.append(search.best_params_)
    print(f"{search.best_params_}: R^2 {search.best_score_:.2f} inner, {outer[-1]:.2f} outer")

# %%
# ## The picture
# Report the outer score: nothing about the test images went into the choice. (Simulated data.)
inner = np.reshape(curves, (len(outer), len(options["alpha"]), len(options["scales"])))
figure, axis = plt.subplots(figsize=(6.5, 3.6))
for number, scale in enumerate(options["scales"]):
    label = f"inner folds, scales={scale}"
    axis.semilogx(options["alpha"], inner[:, :, number].mean(axis=0), "o-", label=label)
axis.axhline(np.mean(outer), color="black", ls="--", lw=1, label="outer folds, options as chosen")
axis.set(xlabel="ridge penalty alpha", ylabel="R² of left-out images", title="Simulated patterns")
axis.legend(frameon=False, fontsize=8)
axis.spines[["top", "right"]].set_visible(False)
figure.tight_layout()
