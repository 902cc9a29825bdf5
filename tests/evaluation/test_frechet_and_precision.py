"""Distances of sets of images, beside SciPy's matrix root and a plain reading of the paper."""

import numpy as np
import pytest
import scipy.linalg

from fmri_jax.errors import InputError
from fmri_jax.evaluation import precision_recall as pr
from fmri_jax.evaluation.frechet import frechet_distance
from fmri_jax.evaluation.precision_recall import precision_recall


def sets(n: int, m: int, features: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(2, features, features))
    return (
        rng.normal(size=(n, features)) @ mixing[0] + 0.3,
        rng.normal(size=(m, features)) @ mixing[1],
    )


def by_matrix_root(a: np.ndarray, b: np.ndarray) -> float:
    s, t = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(s @ t).real
    gap = a.mean(axis=0) - b.mean(axis=0)
    return gap @ gap + np.trace(s) + np.trace(t) - 2 * np.trace(root)


@pytest.mark.parametrize("n, m", [(60, 45), (12, 200)])
def test_frechet_distance_is_that_of_the_matrix_root(n: int, m: int) -> None:
    a, b = sets(n, m, 9)
    assert frechet_distance(a, b) == pytest.approx(by_matrix_root(a, b), rel=1e-8)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b), rel=1e-10)


def test_fewer_images_than_features() -> None:
    a, b = sets(6, 8, 20)
    # Adding a small multiple of the identity gives the covariances full rank.
    s, t = (np.cov(x, rowvar=False) for x in (a, b))
    inner = scipy.linalg.sqrtm(s + 1e-9 * np.eye(20))
    values = np.linalg.eigvalsh((inner @ t @ inner).real)
    gap = ((a.mean(0) - b.mean(0)) ** 2).sum()
    expected = gap + np.trace(s) + np.trace(t) - 2 * np.sqrt(np.maximum(values, 0)).sum()
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-5)
    assert frechet_distance(a, a) < 1e-9 * np.trace(s)


def test_precision_and_recall_as_the_paper_defines_them(monkeypatch) -> None:
    rng = np.random.default_rng(1)
    real = rng.normal(size=(40, 4))
    generated = rng.normal(size=(33, 4)) * [1, 0.4, 0.2, 1] + [0.8, 0, 0, 0]

    def share_among(rows, members, k):
        radius = []
        for i, member in enumerate(members):
            others = np.delete(members, i, axis=0)
            radius.append(sorted(np.linalg.norm(others - member, axis=1))[k - 1])
        inside = [
            any(np.linalg.norm(row - m) <= r for m, r in zip(members, radius, strict=True))
            for row in rows
        ]
        return sum(inside) / len(rows)

    monkeypatch.setattr(pr, "_BLOCK", 16)  # several blocks
    for k in (1, 3):
        found = precision_recall(real, generated, k)
        assert found.precision == pytest.approx(share_among(generated, real, k))
        assert found.recall == pytest.approx(share_among(real, generated, k))
        assert 0 < found.recall < found.precision < 1


def test_sets_that_cannot_be_compared() -> None:
    a, b = sets(5, 6, 4)
    with pytest.raises(InputError, match=r"\(5, 4\) and \(6, 3\)"):
        frechet_distance(a, b[:, :3])
    with pytest.raises(InputError, match="at least 2"):
        frechet_distance(a[:1], b)
    with pytest.raises(InputError, match="at least 4"):
        precision_recall(a[:3], b)
