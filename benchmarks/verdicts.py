"""How often the verdicts of a page are wrong where nothing is to be found, and how often right.

    python -m benchmarks.verdicts             # the table of docs/verdicts.md
    python -m benchmarks.verdicts --repeats 100    # with standard errors of 2 %

Simulated images and decoders, plain NumPy: no network, no recording. Every verdict is taken from
the functions that pages take it from. False positives are counted under decoders without any
information, and under pairs of equal ones; then power, under a known signal.
"""

import argparse
import dataclasses
from collections.abc import Callable

import numpy as np

from fmri_jax.evaluation.intervals import mean_interval
from fmri_jax.evaluation.permutation import compare, swaps, together
from fmri_jax.pipeline import chance
from fmri_jax.pipeline.evidence import Labels
from fmri_jax.pipeline.rows import METHOD, Rows

COUNTS = (5, 10, 20, 50, 200)
SIDE = 6
PERMUTATIONS = 199  # 1,000 in runs: fewer make a test no less exact


@dataclasses.dataclass(frozen=True)
class Decoder:
    """What a simulated decoder answers.

    Attributes:
        constant: of the training images, what every answer of the fold has in common.
        mixture: standard deviation of random weights of training images that are added.
        noise: standard deviation of noise that is added to each pixel.
        signal: the share of the target's distance from the mean that is added.
    """

    constant: Callable[[np.ndarray], np.ndarray]
    mixture: float = 0.0
    noise: float = 0.03
    signal: float = 0.0

    def answer(
        self, rng: np.random.Generator, training: np.ndarray, targets: np.ndarray
    ) -> np.ndarray:
        """(n, SIDE, SIDE, 1) answers of one fold."""
        weights = rng.normal(0, self.mixture, (len(targets), len(training)))
        mean = training.mean(axis=0)
        made = self.constant(training) + np.tensordot(weights, training - mean, 1)
        made = made + rng.normal(0, self.noise, targets.shape) + self.signal * (targets - mean)
        return np.clip(made, 0, 1)


def _mean(training: np.ndarray) -> np.ndarray:
    return training.mean(axis=0)


BLIND = {
    "noise on the mean image": Decoder(_mean),
    "mixtures of training images": Decoder(_mean, mixture=0.1, noise=0.0),
    "an answer that tells the fold": Decoder(lambda x: 2 * x.mean(axis=0) - np.median(x, axis=0)),
}
SIGNAL = Decoder(_mean, signal=0.03)


def photographs(rng: np.random.Generator, n: int) -> np.ndarray:
    """Images that resemble one another, with more coarse than fine structure."""
    coarse = rng.uniform(size=(n, SIDE // 2, SIDE // 2, 1)).repeat(2, axis=1).repeat(2, axis=2)
    shared = rng.uniform(size=(1, SIDE, SIDE, 1))
    return 0.4 * shared + 0.35 * coarse + 0.25 * rng.uniform(size=(n, SIDE, SIDE, 1))


def run(
    rng: np.random.Generator, decoder: Decoder, n: int, folds: int, copies: bool = False
) -> Rows:
    """The rows of a simulated run: one fold with training images of its own, or several."""
    targets = photographs(rng, 2 * n)[:n]
    other = photographs(rng, max(n, 20))
    if copies:  # every image has a near copy, of which a decoder makes the same
        targets[1::2] = np.clip(targets[: 2 * (n // 2) : 2] + 0.002, 0, 1)
    group = np.arange(n) // (2 if copies else 1) % folds
    made, shuffled, means = (np.empty_like(targets) for _ in range(3))
    for fold in range(folds):
        here = group == fold
        training = other if folds == 1 else targets[~here]
        means[here] = training.mean(axis=0)
        made[here] = decoder.answer(rng, training, targets[here])
        blind = dataclasses.replace(decoder, signal=0.0)
        shuffled[here] = blind.answer(rng, training, targets[here])
    if copies:
        made[1::2] = made[: 2 * (n // 2) : 2]
    return Rows(
        targets=targets,
        predictions={METHOD: made, "mean_image": means, "shuffled_fmri": shuffled},
        vs_train={},
        stimulus=np.arange(n, dtype=np.int32),
        split=np.full(n, "test"),
        fold=group.astype(str),
    )


def above_chance(
    rng: np.random.Generator, decoder: Decoder, n: int, folds: int, copies: bool
) -> bool:
    """Whether the page says "above chance"."""
    _, notes = chance.against_chance(run(rng, decoder, n, folds, copies), PERMUTATIONS)
    return any(note.kind == "chance" and note.values["above"] for note in notes)


def of_groups(rng: np.random.Generator, n: int, known: bool = True) -> bool:
    """Whether the page says "above chance" of crops of n / 5 photographs, without information.

    Crops of one photograph resemble each other, and so do the answers to them.
    """
    group = np.arange(n) // 5
    likeness = photographs(rng, 2 * n)
    targets = 0.6 * likeness[group] + 0.4 * likeness[n:]
    mean = np.broadcast_to(photographs(rng, 20).mean(axis=0), targets.shape)
    made = mean + rng.normal(0, 0.03, likeness[:n].shape)[group] + rng.normal(0, 0.003, mean.shape)
    found = Rows(
        targets=targets,
        predictions={METHOD: np.clip(made, 0, 1), "mean_image": mean},
        vs_train={},
        stimulus=np.arange(n, dtype=np.int32),
        split=np.full(n, "test"),
        fold=np.full(n, "all"),
    )
    labels = Labels(groups=group if known else None)
    _, notes = chance.against_chance(found, PERMUTATIONS, labels)
    return any(note.kind == "chance" and note.values["above"] for note in notes)


def scores(rng: np.random.Generator, n: int, n_metrics: int, lead: float = 0.0) -> np.ndarray:
    """(n_metrics, n) correlated scores of one method; half of them skewed, as identification is."""
    common = rng.normal(size=n)
    found = 0.8 * common + 0.6 * rng.normal(size=(n_metrics, n)) + lead
    found[::2] = 1 - np.exp(-np.exp(found[::2] / 2))
    return found


def any_lead(rng: np.random.Generator, n: int, lead: float = 0.0) -> bool:
    """Whether any of 8 scores is called better than any of 4 baselines."""
    units = np.arange(n)
    hard = rng.normal(size=n)  # images that are hard for all
    ours = scores(rng, n, 8, lead) + hard
    gaps = {}
    for name in range(4):
        theirs = scores(rng, n, 8) + hard
        gaps |= {(name, m): swaps(ours[m], theirs[m], units, None, PERMUTATIONS) for m in range(8)}
    return any(gap.value > 0 and gap.adjusted < 0.05 for gap in together(gaps).values())


def hypothesis(rng: np.random.Generator, n: int, copies: bool, lead: float = 0.0) -> bool:
    """Whether one expected ordering of two variants "holds"."""
    first, second = scores(rng, n, 1, lead)[0], scores(rng, n, 1)[0]
    units = np.arange(n)
    if copies:
        units = units // 2
        first, second = first[2 * units], second[2 * units]
    gap = compare(first, second, units, None, PERMUTATIONS)
    return bool(gap.value > 0 and gap.p < 0.05)


def interval_above(rng: np.random.Generator, n: int) -> bool:
    """Whether a 95 % interval lies wholly above the true mean, of identification-like scores."""
    values = rng.beta(2, 1, n)
    return bool(mean_interval(values, np.arange(n), 400, int(rng.integers(2**31))).low > 2 / 3)


def interval_below(rng: np.random.Generator, n: int) -> bool:
    """Whether a 95 % interval lies wholly below the true mean."""
    values = rng.beta(2, 1, n)
    return bool(mean_interval(values, np.arange(n), 400, int(rng.integers(2**31))).high < 2 / 3)


def verdicts() -> dict[str, tuple[str, Callable[[np.random.Generator, int], bool]]]:
    """Name of each row -> what is meant, and one simulated verdict."""
    found: dict[str, tuple[str, Callable[[np.random.Generator, int], bool]]] = {}
    for name, decoder in BLIND.items():
        for folds in (1, 10):
            if folds == 1 and decoder is not BLIND["noise on the mean image"]:
                continue  # answers of one fold are exchangeable, whatever they are
            where = "1 fold" if folds == 1 else "10 folds (5 of 5 images)"
            found[f"above chance: {name}, {where}"] = (
                "5",
                lambda rng, n, d=decoder, f=folds: above_chance(rng, d, n, min(f, n), False),
            )
    noise = BLIND["noise on the mean image"]
    found["above chance: noise, each image with a near copy, 1 fold"] = (
        "5",
        lambda rng, n: above_chance(rng, noise, n, 1, True),
    )
    found["above chance: noise that five crops of a photograph share, 1 fold"] = ("5", of_groups)
    found["the same, crops taken for independent"] = (
        "5",
        lambda rng, n: of_groups(rng, n, False),
    )
    found["any of 32 leads over equal baselines"] = ("2.5", any_lead)
    found["a hypothesis about equal variants"] = ("2.5", lambda rng, n: hypothesis(rng, n, False))
    found["the same, each image with a near copy"] = (
        "2.5",
        lambda rng, n: hypothesis(rng, n, True),
    )
    found["interval above the truth"] = ("2.5", interval_above)
    found["interval below the truth"] = ("2.5", interval_below)
    found["**power**: above chance, 1 fold"] = (
        "",
        lambda rng, n: above_chance(rng, SIGNAL, n, 1, False),
    )
    found["**power**: above chance, 10 folds"] = (
        "",
        lambda rng, n: above_chance(rng, SIGNAL, n, min(10, n), False),
    )
    found["**power**: a lead of .8 standard deviations, any of 32"] = (
        "",
        lambda rng, n: any_lead(rng, n, 0.8),
    )
    found["**power**: a lead of .8 standard deviations, one hypothesis"] = (
        "",
        lambda rng, n: hypothesis(rng, n, False, 0.8),
    )
    return found


def main() -> None:
    """Prints the table, one row per verdict and one column per number of images."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="numbers of images")
    parser.add_argument("--rows", default="", help="only verdicts whose names hold this text")
    given = parser.parse_args()
    print("| verdict, in % | meant | " + " | ".join(f"{n} images" for n in given.counts) + " |")
    print("|---|---|" + "---|" * len(given.counts))
    for row, (name, (meant, once)) in enumerate(verdicts().items()):
        if given.rows not in name:
            continue
        cells = []
        for n in given.counts:
            repeats = given.repeats if n < 200 else max(1, given.repeats // 4)
            rng = np.random.default_rng([given.seed, row, n])
            cells.append(f"{100 * np.mean([once(rng, n) for _ in range(repeats)]):.1f}")
        print(f"| {name} | {meant} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
