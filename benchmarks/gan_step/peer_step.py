"""PyTorch's training step: the plain recipe, and one that shares what can be shared."""

import dataclasses

import torch
from torch.nn import functional

from benchmarks.gan_step.peer import Comparator, Discriminator, Generator
from fmri_jax.methods.gan.config import Config


@dataclasses.dataclass
class PeerStep:
    """One simultaneous update of both networks.

    Attributes:
        generator: to be trained.
        discriminator: to be trained.
        comparator: frozen.
        config: weights of the losses and Adam's options, those of our step.
        mean: (1, 3, 1, 1) of the training pixels.
        deviation: (1, 3, 1, 1) of the training pixels.
        sharing: False: the usual recipe, in which the discriminator sees the generated images
            twice, detached for its own loss and with frozen weights for the generator's. True: it
            sees them once, and both losses are differentiated through that pass.
        bfloat16: whether PyTorch casts to bfloat16 where it holds that to be safe (autocast).
    """

    generator: Generator
    discriminator: Discriminator
    comparator: Comparator
    config: Config
    mean: torch.Tensor
    deviation: torch.Tensor
    sharing: bool = False
    bfloat16: bool = False

    def __post_init__(self) -> None:
        """Makes the two optimisers: on a GPU each one kernel, and fit to be recorded."""
        on_gpu = {"fused": True, "capturable": True} if self.mean.is_cuda else {}
        shared = {"betas": (self.config.first_moment, 0.999), **on_gpu}
        self.g_params = [p for p in self.generator.parameters() if p.requires_grad]
        self.d_params = list(self.discriminator.parameters())
        self.g_adam = torch.optim.Adam(self.g_params, self.config.learning_rate, **shared)
        self.d_adam = torch.optim.Adam(
            self.d_params,
            self.config.discriminator_learning_rate,
            weight_decay=self.config.weight_decay,
            **shared,
        )

    def __call__(self, fmri: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        """fMRI (n, voxels) and images (n, 3, h, w) in [0, 1] -> the unweighted terms."""
        gradients = self.sharing_gradients if self.sharing else self.plain_gradients
        with torch.autocast(fmri.device.type, torch.bfloat16, enabled=self.bfloat16):
            terms, g_gradients, d_gradients = gradients(fmri, targets)
        for params, found in ((self.g_params, g_gradients), (self.d_params, d_gradients)):
            for param, gradient in zip(params, found, strict=True):
                param.grad = gradient
        self.g_adam.step()
        self.d_adam.step()
        return {name: value.detach() for name, value in terms.items()}

    def plain_gradients(self, fmri: torch.Tensor, targets: torch.Tensor) -> tuple:
        """Terms and both networks' gradients, one network after the other."""
        images, terms = self.image_terms(fmri, targets)
        real = self.cross_entropy(self.discriminator(self.units(targets)), 1)
        fake = self.cross_entropy(self.discriminator(self.units(images.detach())), 0)
        d_gradients = torch.autograd.grad(real + fake, self.d_params)
        self.discriminator.requires_grad_(False)
        terms["adversarial"] = self.cross_entropy(self.discriminator(self.units(images)), 1)
        self.discriminator.requires_grad_(True)
        g_gradients = torch.autograd.grad(self.weighted(terms), self.g_params)
        terms |= {"discriminator_real": real, "discriminator_generated": fake}
        return terms, g_gradients, d_gradients

    def sharing_gradients(self, fmri: torch.Tensor, targets: torch.Tensor) -> tuple:
        """The same numbers from one pass of the discriminator over the generated images."""
        images, terms = self.image_terms(fmri, targets)
        real = self.cross_entropy(self.discriminator(self.units(targets)), 1)
        leaf = images.detach().requires_grad_()
        logits = self.discriminator(self.units(leaf))
        terms["adversarial"], fake = self.cross_entropy(logits, 1), self.cross_entropy(logits, 0)
        (toward,) = torch.autograd.grad(terms["adversarial"], leaf, retain_graph=True)
        d_gradients = torch.autograd.grad(real + fake, self.d_params)
        rest = {name: terms[name] for name in ("image", "feature")}
        surrogate = (images * (self.config.adversarial_weight * toward)).sum()
        g_gradients = torch.autograd.grad(self.weighted(rest) + surrogate, self.g_params)
        terms |= {"discriminator_real": real, "discriminator_generated": fake}
        return terms, g_gradients, d_gradients

    def image_terms(self, fmri: torch.Tensor, targets: torch.Tensor) -> tuple:
        """Generated images, and the two terms that need no discriminator."""
        images = self.generator(fmri) * self.deviation + self.mean
        with torch.no_grad():
            expected = self.comparator(targets)
        feature = functional.mse_loss(self.comparator(images), expected)
        return images, {"image": functional.mse_loss(images, targets), "feature": feature}

    def weighted(self, terms: dict[str, torch.Tensor]) -> torch.Tensor:
        """The generator's loss."""
        return sum(getattr(self.config, f"{name}_weight") * terms[name] for name in terms)

    def units(self, images: torch.Tensor) -> torch.Tensor:
        """Pixels in [0, 1] in the units that networks work in."""
        return (images - self.mean) / self.deviation

    @staticmethod
    def cross_entropy(logits: torch.Tensor, label: int) -> torch.Tensor:
        """Cross-entropy of one label for the complete batch."""
        labels = torch.full((len(logits),), label, device=logits.device)
        return functional.cross_entropy(logits, labels)
