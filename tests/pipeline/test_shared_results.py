"""What runs of a sweep have in common is found once, and only what is the same is common."""

import numpy as np

from fmri_jax.pipeline.shared_results import UNSHARED, SharedResults


def test_a_result_is_found_once_for_the_same_arrays_and_options():
    found, images = [], np.arange(12.0).reshape(3, 4)

    def asked(shared, *arrays, name="mean"):
        return shared.once(name, lambda: found.append(name) or len(found), *arrays)

    shared = SharedResults()
    assert asked(shared, images) == asked(shared, images.copy()) == 1
    assert asked(shared, np.asfortranarray(images)) == 1
    others = (
        (images + 1,),
        (images.astype(np.float32),),
        (images.reshape(4, 3),),
        (images, images),
        (images, None),
    )
    for number, arrays in enumerate(others, start=2):
        assert asked(shared, *arrays) == number
    assert asked(shared, images, name="sum") == 7
    assert asked(SharedResults(), images) == 8
    assert asked(UNSHARED, images) == 9 and asked(UNSHARED, images) == 10
