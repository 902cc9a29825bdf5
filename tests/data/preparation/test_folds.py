import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from fmri_jax.data import load
from fmri_jax.data.preparation.folds import Fold, PreparationConfig, count_folds, folds
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError

MakeSession = Callable[..., Recording]


def only_fold(recording: Recording, **options: object) -> Fold:
    (fold,) = folds(recording, PreparationConfig(**options))  # type: ignore[arg-type]
    return fold


def test_training_and_test_are_standardised_by_training_like_scikit_learn(
    make_recording: MakeSession,
) -> None:
    recording = make_recording()
    fold = only_fold(recording, average_repeats="none", roi="V2")
    train = recording.split == "train"
    v2 = recording.fmri[:, recording.rois["V2"]]
    scaler = StandardScaler().fit(v2[train])
    np.testing.assert_allclose(fold.train.fmri, scaler.transform(v2[train]), atol=1e-5)
    np.testing.assert_allclose(fold.tests["test"].fmri, scaler.transform(v2[~train]), atol=1e-5)
    np.testing.assert_array_equal(fold.voxels, recording.rois["V2"])
    assert fold.train.fmri.dtype == np.float32
    np.testing.assert_allclose(
        fold.train.targets(), recording.images[recording.stimulus[train]] / 255, rtol=1e-6
    )
    assert fold.train.targets().dtype == np.float32


def test_test_repeats_are_averaged_then_scaled_by_the_root_of_their_number(
    make_recording: MakeSession,
) -> None:
    recording = make_recording()
    raw = only_fold(recording, average_repeats="none").tests["test"]
    plain = only_fold(recording, noise_scaling=False).tests["test"]
    scaled = only_fold(recording).tests["test"]
    assert plain.stimulus.tolist() == scaled.stimulus.tolist() == [4, 5]
    for row, stimulus in enumerate([4, 5]):
        mean = raw.fmri[raw.stimulus == stimulus].mean(axis=0)
        np.testing.assert_allclose(plain.fmri[row], mean, atol=1e-5)
        np.testing.assert_allclose(scaled.fmri[row], mean * 2, atol=1e-5)  # 4 repeats
    assert scaled.run.tolist() == [-1, -1]


@pytest.mark.parametrize("average", ["none", "test", "all"])
def test_training_never_sees_test_data(make_recording: MakeSession, average: str) -> None:
    recording = make_recording()
    other = recording.fmri.copy()
    other[recording.split == "test"] *= 1000
    images = recording.images.copy()
    images[4:] = 255 - images[4:]
    changed = dataclasses.replace(recording, fmri=other, images=images)
    before = only_fold(recording, average_repeats=average).train
    after = only_fold(changed, average_repeats=average).train
    np.testing.assert_array_equal(before.fmri, after.fmri)
    np.testing.assert_array_equal(before.targets(), after.targets())


@pytest.mark.parametrize("average", ["none", "test", "all"])
def test_a_test_trial_is_the_same_alone_as_among_others(
    make_recording: MakeSession, average: str
) -> None:
    recording = make_recording()
    keep = (recording.split == "train") | (recording.stimulus == 5)
    if average == "none":
        keep &= (recording.split == "train") | (recording.run == 3)
    alone = dataclasses.replace(
        recording,
        **{name: getattr(recording, name)[keep] for name in ("fmri", "stimulus", "run", "split")},
    )
    among = only_fold(recording, average_repeats=average).tests["test"].fmri[-1:]
    np.testing.assert_array_equal(
        only_fold(alone, average_repeats=average).tests["test"].fmri, among
    )


def noise_recording(rng: np.random.Generator, train_repeats: int, test_repeats: int) -> Recording:
    """Responses that are a strong signal of each image plus noise of standard deviation 1."""
    n_train, n_test, voxels = 60, 60, 40
    repeats = np.repeat([train_repeats, test_repeats], [n_train, n_test])
    stimulus = np.repeat(np.arange(n_train + n_test, dtype=np.int32), repeats)
    signal = np.zeros((n_train + n_test, voxels))
    signal[:n_train] = (
        rng.normal(size=(n_train, voxels)) * 2
    )  # test images evoke no response at all
    return Recording(
        fmri=(5 + signal[stimulus] + rng.normal(size=(len(stimulus), voxels))).astype(np.float32),
        stimulus=stimulus,
        images=rng.integers(0, 256, (n_train + n_test, 4, 4, 1), dtype=np.uint8),
        run=np.zeros(len(stimulus), np.int32),
        rois={},
        stimulus_names=tuple(map(str, range(n_train + n_test))),
        split=np.where(stimulus < n_train, "train", "test"),
    )


@pytest.mark.parametrize("train_repeats", [1, 5])
@pytest.mark.parametrize("average", ["test", "all"])
def test_simulated_noise_is_as_large_in_testing_as_in_training(
    average: str, train_repeats: int
) -> None:
    rng = np.random.default_rng(1)
    recording = noise_recording(rng, train_repeats, test_repeats=24)
    fold = only_fold(recording, average_repeats=average)
    # In units of the training z-score, a training row's noise has this standard deviation:
    m = train_repeats if average == "all" else 1
    signal_and_noise = recording.fmri[recording.split == "train"].astype(float)
    if m > 1:
        signal_and_noise = signal_and_noise.reshape(60, m, -1).mean(axis=1)
    training_noise = (1 / np.sqrt(m)) / signal_and_noise.std(axis=0)
    test_noise = fold.tests["test"].fmri.std(axis=0)  # nothing but noise, by construction
    assert np.mean(test_noise / training_noise) == pytest.approx(1, abs=0.05)
    unscaled = only_fold(recording, average_repeats=average, noise_scaling=False).tests["test"]
    assert np.mean(unscaled.fmri.std(axis=0) / training_noise) == pytest.approx(
        np.sqrt(m / 24), rel=0.05
    )


def test_without_standardising_the_noise_grows_about_the_training_mean(
    make_recording: MakeSession,
) -> None:
    recording = make_recording()
    plain = only_fold(recording, standardise=False, noise_scaling=False)
    scaled = only_fold(recording, standardise=False)
    np.testing.assert_allclose(
        plain.train.fmri, recording.fmri[recording.split == "train"], rtol=1e-5
    )
    mean = recording.fmri[recording.split == "train"].mean(axis=0)
    np.testing.assert_allclose(
        scaled.tests["test"].fmri - mean, 2 * (plain.tests["test"].fmri - mean), atol=1e-5
    )


def test_constant_voxels_become_zero_with_a_warning_that_counts_them(
    make_recording: MakeSession,
) -> None:
    fmri = make_recording().fmri.copy()
    train = make_recording().split == "train"
    fmri[train, 0] = 0.1  # but not in the test trials
    fmri[:, 1] = 0
    fmri[train, 2] = 1000
    fmri[0, 2] = np.nextafter(np.float32(1000), np.float32(2000))  # rounding is no signal
    with pytest.warns(UserWarning, match="3 of 10 voxels are constant over the training trials"):
        fold = only_fold(make_recording(fmri=fmri))
    for trials in (fold.train, fold.tests["test"]):
        assert np.isfinite(trials.fmri).all()
        assert (trials.fmri[:, :3] == 0).all() and (trials.fmri[:, 3:] != 0).any()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        only_fold(make_recording())


def test_leaving_stimuli_out_keeps_identical_images_together(make_recording: MakeSession) -> None:
    images = make_recording().images.copy()
    images[3] = images[0]
    recording = make_recording(images=images, split=np.full(24, "train"))
    made = list(folds(recording, PreparationConfig(split="stimulus")))
    assert [fold.name for fold in made] == [f"stimulus {i}" for i in (0, 1, 2, 4, 5)]
    assert made[0].tests["test"].stimulus.tolist() == [0]
    for fold in made:
        assert fold.shared_stimuli == 0
        assert not set(fold.train.stimulus) & set(fold.tests["test"].stimulus)
    assert sum(len(fold.tests["test"].stimulus) for fold in made) == 5
    assert made[0].tests["test"].repeats.tolist() == [8]


def test_one_image_under_many_indices_is_one_stimulus(make_recording: MakeSession) -> None:
    """Some recordings store an image a trial; nothing may depend on that."""
    plain = make_recording()
    twin = make_recording(
        images=plain.images[plain.stimulus],
        stimulus=np.arange(24, dtype=np.int32),
        stimulus_names=tuple(map(str, range(24))),
    )
    for average in ("none", "test", "all"):
        a, b = (only_fold(recording, average_repeats=average) for recording in (plain, twin))
        for mine, other in ((a.train, b.train), (a.tests["test"], b.tests["test"])):
            np.testing.assert_array_equal(mine.fmri, other.fmri)
            np.testing.assert_array_equal(mine.targets(), other.targets())
            np.testing.assert_array_equal(mine.stimulus, other.stimulus)


def test_rows_say_how_many_trials_they_average_and_how_far_they_were_enlarged(
    make_recording: MakeSession,
) -> None:
    recording = make_recording()
    fold = only_fold(recording, average_repeats="test")
    test = fold.tests["test"]
    assert test.repeats.tolist() == [4, 4] and test.gain.tolist() == [2.0, 2.0]
    plain = only_fold(recording, average_repeats="test", noise_scaling=False).tests["test"]
    np.testing.assert_allclose(test.fmri / test.gain[:, None], plain.fmri, atol=1e-6)
    assert (fold.train.repeats == 1).all() and (fold.train.gain == 1).all()
    averaged = only_fold(recording, average_repeats="all")
    assert averaged.train.repeats.tolist() == [4] * 4
    assert averaged.tests["test"].gain.tolist() == [1.0, 1.0]
    assert fold.distractors().tolist() == [4, 4]
    left_out = next(folds(recording, PreparationConfig(split="run", average_repeats="none")))
    assert left_out.distractors().tolist() == [3] * 4  # the own image was shown in training


def test_taking_rows_keeps_what_belongs_to_them(make_recording: MakeSession) -> None:
    test = only_fold(make_recording(), average_repeats="none").tests["test"]
    some = test.take(np.asarray([3, 1]))
    np.testing.assert_array_equal(some.fmri, test.fmri[[3, 1]])
    np.testing.assert_array_equal(some.stimulus, test.stimulus[[3, 1]])
    np.testing.assert_array_equal(some.run, test.run[[3, 1]])
    assert some.repeats.tolist() == [1, 1] and len(some.gain) == 2


def test_groups_are_dealt_into_folds_and_test_sets_stay_unseen(make_recording: MakeSession) -> None:
    made = list(folds(make_recording(), PreparationConfig(split="stimulus", n_folds=2)))
    assert [fold.name for fold in made] == ["stimulus group 1 of 2", "stimulus group 2 of 2"]
    assert [set(fold.tests["test"].stimulus) for fold in made] == [{0, 2}, {1, 3}]
    for fold in made:
        shown = set(fold.train.stimulus) | set(fold.tests["test"].stimulus)
        assert shown == {0, 1, 2, 3}


def test_leaving_runs_out_counts_the_stimuli_on_both_sides(make_recording: MakeSession) -> None:
    made = list(folds(make_recording(), PreparationConfig(split="run")))
    assert [fold.name for fold in made] == ["run 0", "run 1", "run 2", "run 3"]
    for run, fold in enumerate(made):
        assert fold.shared_stimuli == 4  # each run shows each image
        assert set(fold.tests["test"].run) == {run} and run not in fold.train.run


@pytest.mark.parametrize("options", [{"split": "run"}, {"split": "stimulus", "n_folds": 2}, {}])
def test_folds_are_counted_before_any_is_prepared(
    make_recording: MakeSession, options: dict[str, object]
) -> None:
    recording, preparation = make_recording(), PreparationConfig(**options)  # type: ignore[arg-type]
    made = list(folds(recording, preparation))
    assert count_folds(recording, preparation) == len(made)


def test_a_fold_without_responses_tells_all_but_them(make_recording: MakeSession) -> None:
    fold = only_fold(make_recording())
    shown = fold.without_responses()
    assert fold.train.fmri.size and not shown.train.fmri.size
    assert len(shown.main_test().fmri) == len(fold.main_test().fmri)
    np.testing.assert_array_equal(shown.distractors(), fold.distractors())
    np.testing.assert_array_equal(shown.main_test().targets(), fold.main_test().targets())
    assert (shown.name, shown.shared_stimuli) == (fold.name, fold.shared_stimuli)


def test_named_test_sets_follow_the_first(make_recording: MakeSession) -> None:
    stimulus = make_recording().stimulus
    split = np.choose(stimulus, ["train", "train", "train", "letters", "test", "shapes"])
    fold = only_fold(make_recording(split=split))
    assert list(fold.tests) == ["test", "letters", "shapes"]
    assert fold.name == "all"


@pytest.mark.parametrize("options", [{"n_folds": 1}, {"n_folds": 5}, {"n_folds": -1}])
def test_impossible_folds_are_rejected(
    make_recording: MakeSession, options: dict[str, int]
) -> None:
    with pytest.raises(InputError, match="hold 4 groups"):
        list(folds(make_recording(), PreparationConfig(split="stimulus", **options)))


def test_one_class_of_stimulus_or_no_test_set_is_rejected(make_recording: MakeSession) -> None:
    one = make_recording(stimulus=np.zeros(24, np.int32), split=np.full(24, "train"))
    with pytest.raises(InputError, match="hold 1 groups"):
        list(folds(one, PreparationConfig(split="stimulus")))
    with pytest.raises(InputError, match="names no test trials"):
        list(folds(one, PreparationConfig()))


def test_images_are_prepared_at_the_chosen_size(make_recording: MakeSession) -> None:
    fold = only_fold(make_recording(), image_size=5)
    assert fold.train.images.shape == (6, 5, 5, 3)
    assert fold.train.images is fold.tests["test"].images


def test_real_recordings(recordings: Path) -> None:
    miyawaki = load(str(recordings / "miyawaki2008_s1_v1_figures.npz"))
    assert miyawaki.fmri.shape == (120, 967) and not miyawaki.simulated
    by_image = list(folds(miyawaki, PreparationConfig(split="stimulus")))
    by_run = list(folds(miyawaki, PreparationConfig(split="run")))
    assert (len(by_image), len(by_run)) == (20, 12)
    assert all(fold.shared_stimuli == 0 for fold in by_image)
    assert all(fold.shared_stimuli > 0 for fold in by_run)
    object2vec = load(str(recordings / "object2vec_subj001.npz"))
    by_fold = list(folds(object2vec, PreparationConfig(split="run", roi="EVC + LOC")))
    assert len(by_fold) == 9 and all(fold.shared_stimuli == 0 for fold in by_fold)
    both = object2vec.rois["EVC"] | object2vec.rois["LOC"]
    assert by_fold[0].train.fmri.shape == (72, both.sum())


def test_validation_holds_out_training_stimuli_and_never_the_test_set(
    make_recording: MakeSession,
) -> None:
    recording = make_recording()
    plain, held_out = only_fold(recording), only_fold(recording, validation=0.5)
    shown = set(plain.train.stimulus.tolist())
    left = set(held_out.train.stimulus.tolist())
    validated = set(held_out.tests["test"].stimulus.tolist())
    assert left | validated == shown and not left & validated
    assert len(validated) == round(0.5 * len(shown))
    assert not validated & set(plain.tests["test"].stimulus.tolist())
    # Standardised by what is left of training, as any other split.
    np.testing.assert_allclose(held_out.train.fmri.mean(axis=0), 0, atol=1e-5)
    with pytest.raises(InputError, match="expected a share between 0 and 1"):
        only_fold(recording, validation=0.01)


@pytest.mark.parametrize("split", ["given", "stimulus", "group", "cluster"])
def test_validation_holds_out_whole_groups(make_recording: MakeSession, split: str) -> None:
    recording = make_recording()
    group = np.arange(len(recording.images)) % 5
    recording = dataclasses.replace(recording, groups=tuple(f"movie {g}" for g in group))
    options = PreparationConfig(
        split=split, n_folds=None if split == "given" else 2, validation=0.4
    )
    for fold in folds(recording, options, group):
        sides = [set(group[trials.stimulus]) for trials in (fold.train, fold.tests["test"])]
        assert sides[0] and sides[1] and not sides[0] & sides[1]


def test_noise_takes_the_place_of_all_fmri(make_recording: MakeSession) -> None:
    recording = make_recording()
    plain, noise = only_fold(recording), only_fold(recording, fmri="noise")
    again = only_fold(recording, fmri="noise")
    for recorded, replaced, repeated in zip(
        (plain.train, plain.tests["test"]),
        (noise.train, noise.tests["test"]),
        (again.train, again.tests["test"]),
        strict=True,
    ):
        np.testing.assert_array_equal(recorded.stimulus, replaced.stimulus)
        assert recorded.fmri.shape == replaced.fmri.shape
        assert replaced.fmri.dtype == np.float32
        np.testing.assert_array_equal(replaced.fmri, repeated.fmri)
        correlation = np.corrcoef(recorded.fmri.ravel(), replaced.fmri.ravel())[0, 1]
        assert abs(correlation) < 5 / np.sqrt(recorded.fmri.size)
    assert not np.isin(noise.train.fmri, noise.tests["test"].fmri).any()


def test_each_fold_has_noise_of_its_own(make_recording: MakeSession) -> None:
    options = PreparationConfig(fmri="noise", split="stimulus")
    rows = np.concatenate([f.tests["test"].fmri for f in folds(make_recording(), options)])
    assert len(np.unique(rows, axis=0)) == len(rows) == 4


def test_a_split_that_is_given_is_not_dealt_into_folds(make_recording: MakeSession) -> None:
    with pytest.raises(InputError, match=r"split='given' with n_folds=3, .* is one fold"):
        only_fold(make_recording(), n_folds=3)


def test_groups_are_left_out_as_a_whole(make_recording: MakeSession) -> None:
    recording = make_recording()
    with pytest.raises(InputError, match="names no groups"):
        next(folds(recording, PreparationConfig(split="group")))
    names = tuple("AB"[i % 2] if i < 3 else "" for i in range(len(recording.images)))
    grouped = dataclasses.replace(recording, groups=names)
    shown = np.unique(grouped.distinct_images[grouped.stimulus[grouped.split == "train"]])
    left_out = [
        [names[i] or i for i in np.unique(fold.main_test().stimulus)]
        for fold in folds(grouped, PreparationConfig(split="group"))
    ]
    assert sum(map(len, left_out)) == len(shown)
    assert all(len(set(found)) == 1 for found in left_out)
    assert len(left_out) == len({names[i] or i for i in shown})
