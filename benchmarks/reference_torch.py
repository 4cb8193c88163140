"""The same training steps as PyTorch's users write them, on networks of the same shapes.

Channels last, as its convolutions want them on a CPU; Adam's `foreach` form; bfloat16 by autocast.
For information: the usual steps that ours are compared with are TensorFlow's. `STEPS` names them as
`benchmarks/steps.py` does; each takes images (B, h, w, c) in [-1, 1] as a NumPy array and a
function that returns a context of its precision, and returns a function that takes a step and
returns a loss.
"""

import math
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from gan_keras.training.runtime import available_cores

LATENT_DIM = 100


def _lay_out(*networks):
    for network in networks:
        network.to(memory_format=torch.channels_last)
    return networks


def _images(array):
    return torch.from_numpy(array).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def _adam(network, rate, betas):
    return torch.optim.Adam(network.parameters(), rate, betas, foreach=True)


def _update(optimizer, loss):
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def _generator():
    return nn.Sequential(
        *(nn.Linear(LATENT_DIM, 7 * 7 * 128, bias=False), nn.Unflatten(1, (128, 7, 7))),
        *(nn.BatchNorm2d(128), nn.ReLU(), nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False)),
        *(nn.BatchNorm2d(64), nn.ReLU(), nn.ConvTranspose2d(64, 1, 4, 2, 1), nn.Tanh()),
    )


def dcgan(images, autocast):
    """Take the DCGAN tutorials' step: both players learn from one batch of fakes."""
    discriminator = nn.Sequential(
        *(nn.Conv2d(1, 64, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(64, 128, 4, 2, 1, bias=False)),
        *(nn.BatchNorm2d(128), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(7 * 7 * 128, 1)),
    )
    generator, discriminator = _lay_out(_generator(), discriminator)
    optimizers = [_adam(network, 2e-4, (0.5, 0.999)) for network in (generator, discriminator)]
    real = _images(images)
    ones, zeros = torch.ones(len(images), 1), torch.zeros(len(images), 1)

    def step():
        with autocast():
            fakes = generator(torch.randn(len(images), LATENT_DIM))
            scores = discriminator(real), discriminator(fakes.detach())
        losses = map(F.binary_cross_entropy_with_logits, (s.float() for s in scores), (ones, zeros))
        _update(optimizers[1], sum(losses))
        with autocast():
            fooled = discriminator(fakes)
        loss = F.binary_cross_entropy_with_logits(fooled.float(), ones)
        _update(optimizers[0], loss)
        return loss.item()

    return step


def wgan_gp(images, autocast, n_critic=5):
    """Take the WGAN-GP tutorials' step: all critic updates see the same images."""
    critic = nn.Sequential(
        *(nn.Conv2d(1, 64, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(64, 128, 4, 2, 1)),
        *(nn.LeakyReLU(0.2), nn.Conv2d(128, 256, 4, 2, 2), nn.LeakyReLU(0.2), nn.Flatten()),
        nn.Linear(4 * 4 * 256, 1),
    )
    generator, critic = _lay_out(_generator(), critic)
    optimizers = [_adam(network, 2e-4, (0.5, 0.9)) for network in (generator, critic)]
    real = _images(images)

    def step():
        for _ in range(n_critic):
            with autocast():
                fakes = generator(torch.randn(len(images), LATENT_DIM)).detach().float()
                between = real + torch.rand(len(images), 1, 1, 1) * (fakes - real)
                score = critic(between.requires_grad_()).float().sum()
                apart = critic(fakes).float().mean() - critic(real).float().mean()
            (slope,) = torch.autograd.grad(score, between, create_graph=True)
            penalty = (slope.float().flatten(1).norm(dim=1) - 1).square().mean()
            _update(optimizers[1], apart + 10 * penalty)
        with autocast():
            loss = -critic(generator(torch.randn(len(images), LATENT_DIM))).float().mean()
        _update(optimizers[0], loss)
        return loss.item()

    return step


def vae(images, autocast, latent_dim=2):
    """Take the VAE tutorials' step: log p(x|z) + log p(z) − log q(z|x) of one z an image."""
    encoder = nn.Sequential(
        *(nn.Conv2d(1, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(7 * 7 * 64, 2 * latent_dim)),
    )
    decoder = nn.Sequential(
        *(nn.Linear(latent_dim, 7 * 7 * 32), nn.ReLU(), nn.Unflatten(1, (32, 7, 7))),
        *(nn.ConvTranspose2d(32, 64, 3, 2, 1, 1), nn.ReLU()),
        *(nn.ConvTranspose2d(64, 32, 3, 2, 1, 1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 3, 1, 1)),
    )
    _lay_out(encoder, decoder)
    optimizer = _adam(nn.ModuleList([encoder, decoder]), 1e-4, (0.9, 0.999))
    binary = (_images(images) > 0).float()

    def log_normal(sample, mean, log_variance):
        terms = (sample - mean).square() * torch.exp(-log_variance) + log_variance
        return -0.5 * (terms + math.log(2 * math.pi)).sum(1)

    def step():
        with autocast():
            mean, log_variance = encoder(binary).float().chunk(2, 1)
            latents = torch.randn_like(mean) * torch.exp(0.5 * log_variance) + mean
            logits = decoder(latents).float()
        entropy = F.binary_cross_entropy_with_logits(logits, binary, reduction="none")
        zero = torch.zeros(())
        bound = log_normal(latents, zero, zero) - entropy.sum((1, 2, 3))
        loss = (log_normal(latents, mean, log_variance) - bound).mean()
        _update(optimizer, loss)
        return loss.item()

    return step


class _Block(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.a, self.b = nn.Conv2d(f, f, 3, 1, 1), nn.Conv2d(f, f, 3, 1, 1)

    def forward(self, x):
        return x + self.b(F.relu(self.a(x)))


class _Restorer(nn.Module):
    def __init__(self, filters=(48, 64, 96), blocks=(1, 2, 2)):
        super().__init__()
        stage = [[_Block(f) for _ in range(n)] for f, n in zip(filters, blocks, strict=True)]
        self.entry = nn.Conv2d(3, filters[0], 4, 2, 1)
        self.down = nn.ModuleList(nn.Sequential(*blocks) for blocks in stage)
        pairs = list(pairwise(filters))
        self.smaller = nn.ModuleList(nn.Conv2d(a, b, 2, 2) for a, b in pairs)
        self.larger = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in pairs)
        self.up = nn.ModuleList(
            nn.Sequential(*(_Block(f) for _ in range(n)))
            for f, n in zip(filters[:-1], blocks[:-1], strict=True)
        )
        self.change = nn.ConvTranspose2d(filters[0], 3, 4, 2, 1)

    def forward(self, y):
        x, skips = self.down[0](self.entry(y)), []
        for smaller, blocks in zip(self.smaller, self.down[1:], strict=True):
            skips.append(x)
            x = blocks(smaller(x))
        for larger, blocks, skip in reversed(list(zip(self.larger, self.up, skips, strict=True))):
            x = blocks(larger(x) + skip)
        return y + self.change(x)


def restorer(images, autocast):
    """Take the step of a restorer that learns by the mean absolute error."""
    (network,) = _lay_out(_Restorer())
    optimizer, degraded = _adam(network, 1e-3, (0.9, 0.999)), _images(images)
    target = degraded.flip(0)

    def step():
        with autocast():
            restored = network(degraded)
        loss = (target - restored.float()).abs().mean()
        _update(optimizer, loss)
        return loss.item()

    return step


class _UNet(nn.Module):
    def __init__(self):
        super().__init__()
        widths = [3] + [64 * min(2**scale, 8) for scale in range(8)]
        self.down = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, b, 4, 2, 1, bias=scale in (0, 7)),
                nn.InstanceNorm2d(b, affine=True) if 0 < scale < 7 else nn.Identity(),
                nn.LeakyReLU(0.2),
            )
            for scale, (a, b) in enumerate(pairwise(widths))
        )
        self.up = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose2d(
                    (1 + (scale < 6)) * widths[scale + 2], width, 4, 2, 1, bias=False
                ),
                nn.InstanceNorm2d(width, affine=True),
                nn.Dropout(0.5 if scale > 3 else 0.0),
                nn.ReLU(),
            )
            for scale, width in reversed(list(enumerate(widths[1:8])))
        )
        self.image = nn.ConvTranspose2d(128, 3, 4, 2, 1)

    def forward(self, x):
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
        for up, skip in zip(self.up, skips[-2::-1], strict=True):
            x = torch.cat([up(x), skip], 1)
        return torch.tanh(self.image(x))


def pix2pix(images, autocast):
    """Take the pix2pix tutorials' step on the paper's networks."""
    widths, layers = (6, 64, 128, 256, 512), []
    for scale, (a, b) in enumerate(pairwise(widths)):
        layers += [nn.Conv2d(a, b, 4, 2 if scale < 3 else 1, 1)]
        layers += [nn.InstanceNorm2d(b, affine=True)] if scale else []
        layers += [nn.LeakyReLU(0.2)]
    discriminator = nn.Sequential(*layers, nn.Conv2d(512, 1, 4, 1, 1))
    generator, discriminator = _lay_out(_UNet(), discriminator)
    optimizers = [_adam(network, 2e-4, (0.5, 0.999)) for network in (generator, discriminator)]
    degraded = _images(images)
    target = degraded.flip(2)

    def judged(scores, wanted):
        scores = scores.float()
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, wanted))

    def step():
        with autocast():
            restored = generator(degraded)
            real = discriminator(torch.cat([degraded, target], 1))
            fake = discriminator(torch.cat([degraded, restored.detach()], 1))
        _update(optimizers[1], judged(real, 1.0) + judged(fake, 0.0))
        with autocast():
            fooled = discriminator(torch.cat([degraded, restored], 1))
        loss = judged(fooled, 1.0) + 100 * (target - restored.float()).abs().mean()
        _update(optimizers[0], loss)
        return loss.item()

    return step


STEPS = {"dcgan": dcgan, "wgan-gp": wgan_gp, "vae": vae, "restorer": restorer, "pix2pix": pix2pix}


def build_forms(name, images):
    """Return {form: a function that takes a step} in float32 and in bfloat16."""
    torch.set_num_threads(available_cores())

    def autocast(enabled):
        return lambda: torch.autocast("cpu", torch.bfloat16, enabled=enabled)

    forms = {"float32": autocast(False), "bfloat16": autocast(True)}
    return {f"PyTorch, {form}": STEPS[name](images, cast) for form, cast in forms.items()}
