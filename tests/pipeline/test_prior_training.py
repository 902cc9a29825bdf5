"""The folder of a prior's training: what is rejected, and what several processes train on."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from absl import logging
from PIL import Image

from fmri_jax.errors import InputError
from fmri_jax.files import locked
from fmri_jax.networks.vdvae import VDVAEConfig
from fmri_jax.pipeline import prior_training
from fmri_jax.pipeline.prior_training import RECORD, Request, follow, train
from fmri_jax.pipeline.workdir import LOCK
from fmri_jax.priors import recipes, training
from fmri_jax.priors.training import Options
from fmri_jax.training import host_devices
from fmri_jax.training.loop import NotFiniteError

CONFIG = VDVAEConfig(
    encoder="4d4,1x1", decoder="1x1,4m1", width=8, latent_channels=2, mixtures=1, patch=2
)
RECIPE = recipes.Recipe("", "vdvae", lambda: CONFIG, Options(n_steps=4, batch_size=12))


class Reached(Exception):
    """A training would begin now."""


@pytest.fixture(autouse=True)
def no_cache(monkeypatch):
    monkeypatch.setitem(recipes.RECIPES, "tiny", RECIPE)
    monkeypatch.setattr(prior_training.compiled_programs, "keep", lambda: None)


@pytest.fixture
def request_of(tmp_path):
    """A request to train on 30 pictures."""
    (tmp_path / "images").mkdir()
    pictures = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), np.uint8)
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / "images" / f"{i:02}.png")
    images = (str(tmp_path / "images"),)

    def make(**changed):
        workdir = changed.pop("workdir", tmp_path / "run")
        made = Request("tiny", RECIPE.options, images, (), "CC0-1.0", workdir, progress=False)
        return dataclasses.replace(made, **changed)

    return make


@dataclasses.dataclass
class Told:
    """A group of which this process decides, or is told one order."""

    record: object = None
    told: list = dataclasses.field(default_factory=list)

    def tell(self, order):
        self.told.append((order, self.record.exists()))

    def orders(self):
        return iter(["train"])


def test_all_processes_train_on_the_same_photographs(request_of, tmp_path, monkeypatch):
    """Process 0 tells the others once its folder says what is trained, and not before."""
    began = []

    def trained(request, examples):
        began.append(examples)
        raise Reached

    monkeypatch.setattr(prior_training, "_trained", trained)
    first = Told(tmp_path / "run" / RECORD)
    with pytest.raises(Reached):
        train(request_of(), first)
    assert first.told == [("train", True)]
    with pytest.raises(Reached):
        follow(request_of(), Told())
    one, other = began
    assert one.prepare is other.prepare
    for ours, theirs in ((one.training, other.training), (one.held_out, other.held_out)):
        assert len(ours) and np.array_equal(ours, theirs)


def test_a_training_that_diverges_is_one_message(request_of, monkeypatch):
    def diverged(*given):
        raise NotFiniteError("training stopped at step 3: loss is nan.")

    monkeypatch.setattr(training, "train", diverged)
    with pytest.raises(InputError, match="^training stopped at step 3"):
        train(request_of())


def test_another_computer_is_warned_of_when_a_training_resumes(request_of, tmp_path, monkeypatch):
    warned = []
    monkeypatch.setattr(logging, "warning", lambda text, *given: warned.append(text % given))

    def trained(request, examples):
        raise Reached

    monkeypatch.setattr(prior_training, "_trained", trained)
    for _ in range(2):
        with pytest.raises(Reached):
            train(request_of())
        assert not warned
    record = tmp_path / "run" / RECORD
    content = json.loads(record.read_text())
    record.write_text(json.dumps({**content, "computer": {"devices": {"NVIDIA H100": 8}}}))
    with pytest.raises(Reached):
        train(request_of())
    (text,) = warned
    assert "begun on 8 x NVIDIA H100 and resumes on" in text
    assert json.loads(record.read_text())["computer"] == content["computer"]


def test_folders_that_cannot_be_trained_in_are_one_message(request_of, tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InputError, match="cannot be used as --workdir .*can be written"):
        train(request_of(workdir=file / "run"))
    held = tmp_path / "held"
    held.mkdir()
    with locked(held / LOCK), pytest.raises(InputError, match="in use by another training"):
        train(request_of(workdir=held))
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for content in ("{", "3", '["a"]'):
        (damaged / RECORD).write_text(content)
        with pytest.raises(InputError, match=f"{RECORD} cannot be read .*choose another"):
            train(request_of(workdir=damaged))


@pytest.mark.parametrize(("batch_size", "n"), [(12, 3), (64, 4), (3, 1)])
def test_on_cpu_a_batch_has_as_many_devices_as_share_it_equally(
    request_of, monkeypatch, batch_size, n
):
    monkeypatch.setattr(host_devices, "_LEAST_SHARE", 4)
    options = dataclasses.replace(RECIPE.options, batch_size=batch_size)
    mesh = prior_training._mesh(request_of(options=options))
    assert mesh.shape["data"] == min(n, len(jax.local_devices()))
