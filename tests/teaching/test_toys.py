import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_keras.layers.spectral_norm import power_iteration
from gan_keras.teaching.stacked import (
    StackedSpectralDense,
    build_stacked_spectral_discriminator,
    stacked_gradient_penalty,
)
from gan_keras.teaching.toy_gans import ALGORITHMS, build_stacked, train
from gan_keras.teaching.toys import (
    GaussianMixture,
    best_discriminator,
    best_logits,
    mode_shares,
    modes_kept,
    ring,
    spiral,
)

SMALL = {"hidden": (8, 8), "batch_size": 16, "discriminator_updates": 2}


# Distributions


@pytest.mark.parametrize("mixture", [ring(), ring(5, 1.0, 0.1), spiral()], ids=["8", "5", "spiral"])
def test_densities_of_the_plane_integrate_to_one(mixture):
    step = mixture.sigma / 2  # the sum over a lattice this fine is exact to 1e-30
    axis = np.arange(-2.5, 2.5, step)
    lattice = np.stack(np.meshgrid(axis, axis), axis=-1)
    total = sum(mixture.density(row).sum() for row in lattice) * step**2
    assert total == pytest.approx(1, abs=1e-6)


def test_a_density_on_the_line_is_that_of_its_formula():
    mixture = GaussianMixture([-1.0, 2.0], sigma=0.5, weights=[3, 1])
    axis = np.linspace(-4, 5, 4001)[:, None]
    expected = sum(
        share * np.exp(-0.5 * ((axis[:, 0] - mean) / 0.5) ** 2) / (0.5 * math.sqrt(2 * math.pi))
        for share, mean in ((0.75, -1.0), (0.25, 2.0))
    )
    np.testing.assert_allclose(mixture.density(axis), expected, rtol=1e-12)
    assert np.trapezoid(mixture.density(axis), axis[:, 0]) == pytest.approx(1, abs=1e-8)


def test_samples_have_the_moments_of_the_mixture():
    mixture = GaussianMixture([-1.0, 2.0], sigma=0.5, weights=[3, 1])
    samples = mixture.sample(200_000, seed=1)
    assert samples.shape == (200_000, 1) and samples.dtype == np.float32
    assert samples.mean() == pytest.approx(-0.25, abs=0.01)
    assert samples.var() == pytest.approx(0.25 + 0.75 * 0.25 * 9, abs=0.02)  # within + between
    around = ring(radius=2, sigma=0.1).sample(100_000, seed=1)
    np.testing.assert_allclose(np.cov(around.T), (2 + 0.01) * np.eye(2), atol=0.03)
    np.testing.assert_allclose(around.mean(axis=0), 0, atol=0.02)


def test_samples_are_a_function_of_the_seed_or_go_on_with_a_generator():
    generator = np.random.default_rng(7)
    first, second = ring().sample(50, generator), ring().sample(50, generator)
    np.testing.assert_array_equal(ring().sample(50, 7), first)
    assert np.abs(first - second).max() > 0.5


def test_the_spiral_is_even_along_its_line():
    """On the centres, away from the ends and from the next turn, the density is one number."""
    mixture = spiral()
    density = mixture.density(mixture.means[40:-40])
    np.testing.assert_allclose(density, density.mean(), rtol=2e-2)
    np.testing.assert_allclose(mixture.means[-1], [-2, 0], atol=1e-6)  # one and a half turns
    gaps = np.linalg.norm(np.diff(mixture.means, axis=0), axis=1)
    assert gaps.max() <= mixture.sigma * 1.001 and gaps.std() < 1e-3 * gaps.mean()


@pytest.mark.parametrize("settings", [{"sigma": 0}, {"sigma": 1, "weights": [1]}])
def test_a_mixture_says_what_is_wrong(settings):
    with pytest.raises(ValueError, match="positive"):
        GaussianMixture([0.0, 1.0], **settings)


def test_points_of_another_dimension_are_refused():
    with pytest.raises(ValueError, match="last axis must be 2"):
        ring().log_density(np.zeros((5, 3)))


# The best discriminator


def test_the_best_discriminator_by_hand():
    """Two unit Gaussians at ±1: log p/q = −2x, so D*(x) = 1/(1 + exp(2x))."""
    real, fake = GaussianMixture([-1.0], 1), GaussianMixture([1.0], 1)
    points = np.array([[-1.5], [0.0], [0.7]])
    expected = 1 / (1 + np.exp(2 * points[:, 0]))
    np.testing.assert_allclose(best_discriminator(points, real, fake), expected, rtol=1e-12)


@pytest.mark.parametrize("prior", [0.5, 0.27])
def test_the_best_discriminator_is_the_share_of_real_points(prior):
    real, fake = ring(sigma=0.3), spiral(sigma=0.2)
    points = np.random.default_rng(0).uniform(-2, 2, (3, 40, 2))
    p, q = real.density(points), fake.density(points)
    expected = prior * p / (prior * p + (1 - prior) * q)
    np.testing.assert_allclose(best_discriminator(points, real, fake, prior), expected, rtol=1e-9)
    middle = best_discriminator(points, real, real, prior)
    np.testing.assert_allclose(middle, prior, rtol=1e-12)  # p = q: D* is the prior


def test_the_best_discriminator_maximises_the_value_under_its_prior():
    """A free D on a lattice: no other is worth as much (Goodfellow et al. 2014, Prop. 1)."""
    real, fake, prior = GaussianMixture([-1.0], 0.7), GaussianMixture([0.5, 2.0], 0.5), 0.27
    axis = np.linspace(-5, 5, 500)[:, None]
    p, q = real.density(axis), fake.density(axis)

    def value(d):
        return np.sum(prior * p * np.log(d) + (1 - prior) * q * np.log1p(-d))

    best = np.clip(best_discriminator(axis, real, fake, prior), 1e-12, 1 - 1e-12)
    generator = np.random.default_rng(0)
    for _ in range(20):
        other = np.clip(best + generator.normal(0, 0.02, best.shape), 1e-12, 1 - 1e-12)
        assert value(other) < value(best)


def test_the_best_discriminator_is_finite_in_the_tails():
    real, fake = GaussianMixture([0.0], 0.02), GaussianMixture([1.0], 0.02)
    points = np.array([[-1e6], [-50.0], [0.5], [50.0], [1e6]])
    with np.errstate(invalid="ignore", divide="ignore"):
        naive = real.density(points) / (real.density(points) + fake.density(points))
    assert np.isnan(naive).sum() == 4  # what log densities are for
    assert np.isfinite(best_logits(points, real, fake)).all()
    np.testing.assert_allclose(best_discriminator(points, real, fake), [1, 1, 0.5, 0, 0])


@pytest.mark.parametrize("prior", [0, 1, -0.2])
def test_a_prior_is_inside_zero_and_one(prior):
    with pytest.raises(ValueError, match="prior"):
        best_discriminator([0.0], GaussianMixture([0.0], 1), GaussianMixture([1.0], 1), prior)


# Counting modes


def test_mode_shares_by_hand():
    mixture = GaussianMixture([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]], sigma=1.0)
    samples = [[0, 0], [0, 2.9], [0, 3.1], [12, 0], [10, -2.5], [10, 0], [5, 5], [30, 30]]
    shares = mode_shares([samples, np.zeros((8, 2))], mixture)
    np.testing.assert_allclose(shares, [[2 / 8, 3 / 8, 0], [1, 0, 0]])
    np.testing.assert_array_equal(modes_kept(shares), [2, 1])
    np.testing.assert_array_equal(modes_kept(shares, least=0.3), [1, 1])


def test_a_sample_counts_for_its_nearest_mode_alone():
    mixture = GaussianMixture([[0.0, 0.0], [1.0, 0.0]], sigma=1.0)  # three sigmas overlap
    np.testing.assert_allclose(mode_shares([[0.4, 0.0], [0.6, 0.0]], mixture), [0.5, 0.5])


def test_true_samples_are_of_high_quality_as_often_as_a_gaussian_says():
    shares = mode_shares(ring().sample(100_000, seed=3), ring())
    assert shares.sum() == pytest.approx(1 - math.exp(-4.5), abs=2e-3)
    np.testing.assert_allclose(shares, shares.mean(), atol=5e-3)
    assert modes_kept(shares) == 8


# Stacked seeds


def build(algorithm, seeds=(3, 4, 5), steps=100, **settings):
    return build_stacked(algorithm, seeds, steps, **(SMALL | settings))


def copy(variables):
    return [np.array(v) for v in variables]


def real_batches(model, sigma=0.02):
    samples = [ring(sigma=sigma).sample(100, seed) for seed in model.seeds]
    return model.minibatches(tf.constant(np.stack(samples)))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_seed_in_a_stack_learns_what_it_learns_alone(algorithm):
    """Initial weights, data, noise and updates: rounding is all that differs."""
    stack, alone = build(algorithm), build(algorithm, seeds=(4,))
    for model in (stack, alone):
        for _ in range(3):
            model.train_step(real_batches(model))
    for player in ("generator", "discriminator"):
        pairs = zip(getattr(stack, player).variables, getattr(alone, player).variables, strict=True)
        for stacked, single in pairs:
            np.testing.assert_allclose(stacked.numpy()[1], single.numpy()[0], atol=2e-5)
    first, second, _ = stack.generate(64)
    assert np.abs(first - second).max() > 0.1  # seeds differ from one another


@pytest.mark.parametrize("algorithm", ["spectral", "wgan_gp"])  # "gan" is a part of the first
def test_eager_graph_and_xla_agree(algorithm):
    results = []
    for wrap in (None, {"jit_compile": False}, {"jit_compile": True}):
        model = build(algorithm)
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
        step = model.train_step if wrap is None else tf.function(model.train_step, **wrap)
        step(real_batches(model, sigma=0.5))
        results.append(copy(model.trainable_variables))
    for other in results[1:]:
        for expected, value in zip(results[0], other, strict=True):
            np.testing.assert_allclose(value, expected, atol=2e-6)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("still", ["generator", "discriminator"])
def test_each_phase_moves_its_own_player_only(algorithm, still):
    model = build(algorithm)
    rates = {"generator": 0.1, "discriminator": 0.1, still: 0.0}
    model.compile(*(keras.optimizers.SGD(rates[p]) for p in ("generator", "discriminator")))
    before = {player: copy(getattr(model, player).trainable_variables) for player in rates}
    model.train_step(real_batches(model))
    for player, old in before.items():
        new = copy(getattr(model, player).trainable_variables)
        moved = max(np.abs(a - b).max() for a, b in zip(old, new, strict=True))
        assert moved == 0 if player == still else moved > 1e-4


def test_the_generators_phase_leaves_the_spectral_discriminator_bit_equal():
    model = build("spectral")
    before = copy(model.discriminator.variables)
    model._move_generator(lambda logits: -tf.reduce_sum(logits))
    for old, new in zip(before, copy(model.discriminator.variables), strict=True):
        np.testing.assert_array_equal(old, new)


def test_spectral_layers_stay_at_norm_one():
    model = build("spectral", discriminator_updates=5)
    train(model, ring(), steps=100, record_every=100, count=10)
    spectral = [x for x in model.discriminator.layers if isinstance(x, StackedSpectralDense)]
    assert len(spectral) == 3
    for layer in spectral:
        unit_vectors = np.stack([np.eye(layer.kernel.shape[1], dtype=np.float32)] * 3)
        layer.activation = keras.activations.linear
        operator = layer(unit_vectors) - layer.bias  # W/σ, row by row
        norms = np.linalg.svd(operator, compute_uv=False)[:, 0]
        np.testing.assert_allclose(norms, 1, atol=0.02)
        own = np.linalg.svd(layer.kernel.numpy(), compute_uv=False)[:, 0]
        assert np.abs(own - 1).max() > 0.05  # W itself has another


def test_a_spectral_gradient_is_orthogonal_to_its_kernel():
    network = build_stacked_spectral_discriminator((0, 1), hidden=(8,))
    points = np.random.default_rng(0).standard_normal((2, 32, 2)).astype(np.float32)
    for _ in range(50):
        power_iteration(network)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.sin(network(points)))
    kernels = [v for v in network.trainable_variables if v.name == "kernel"]
    for kernel, gradient in zip(kernels, tape.gradient(loss, kernels), strict=True):
        assert abs(np.sum(kernel.numpy() * gradient.numpy())) < 1e-4 * np.abs(gradient).sum()
        assert np.abs(gradient).max() > 1e-3


def test_the_gradient_penalty_of_a_linear_critic_by_hand():
    """Its slope is the vector's norm c everywhere: (c − 1)², seed by seed."""
    vectors = tf.constant([[[3.0], [4.0]], [[0.6], [0.8]]])  # c = 5 and 1
    generator = np.random.default_rng(0)
    real, fake = tf.unstack(generator.standard_normal((2, 2, 7, 2)).astype(np.float32))
    positions = generator.random((2, 7, 1), np.float32)
    penalty = stacked_gradient_penalty(lambda x: x @ vectors, real, fake, positions)
    np.testing.assert_allclose(penalty, [16, 0], atol=1e-5)


def test_the_gradient_penalty_looks_between_the_points():
    """D(x) = x₁²/2 has slope |x₁|: from 0 to 4, at α = ½ and ¼ it is 2 and 1."""
    real, fake = tf.zeros((1, 2, 2)), tf.fill((1, 2, 2), 4.0)
    positions = np.array([[[0.5], [0.25]]], np.float32)
    penalty = stacked_gradient_penalty(lambda x: tf.square(x[..., :1]) / 2, real, fake, positions)
    np.testing.assert_allclose(penalty, [((2 - 1) ** 2 + (1 - 1) ** 2) / 2], atol=1e-6)


def test_the_gradient_penalty_is_finite_at_a_zero_critic():
    weights = tf.Variable(tf.zeros((1, 2, 1)))
    points = tf.ones((1, 5, 2))
    with tf.GradientTape() as tape:
        penalty = stacked_gradient_penalty(lambda x: x @ weights, points, 2 * points, 0.5)
    assert float(penalty[0]) == pytest.approx(1, abs=1e-5)
    assert np.isfinite(tape.gradient(penalty, weights).numpy()).all()


def test_training_records_shares_and_recording_changes_nothing():
    histories = []
    for record_every in (5, 10):
        model = build("gan", steps=20)
        histories.append(train(model, ring(sigma=0.3), 20, record_every, count=500))
    often, seldom = histories
    assert often.shares.shape == (5, 3, 8)
    np.testing.assert_array_equal(often.steps, [0, 5, 10, 15, 20])
    np.testing.assert_allclose(often.shares[::2], seldom.shares, atol=1 / 500)
    assert np.abs(often.shares[-1] - often.shares[0]).max() > 0.01


def test_logits_on_a_grid_are_those_of_the_discriminator():
    model = build("wgan_gp")
    grid = model.logits_on_grid(extent=2.0, side=5)
    corner = np.full((3, 1, 2), [2.0, -2.0], np.float32)  # x to the right, y upwards
    np.testing.assert_allclose(grid[:, 0, -1], model.discriminator(corner)[:, 0, 0], atol=1e-6)


def test_errors_say_what_to_give():
    with pytest.raises(ValueError, match="choose one of gan, spectral, wgan_gp"):
        build("dcgan")
    with pytest.raises(ValueError, match="multiple"):
        train(build("gan"), ring(), steps=30)


@pytest.mark.slow
def test_spectral_norm_keeps_modes_that_the_plain_gan_loses():
    """One network, one budget; a wider ring than the benchmark's, for seconds."""
    kept = {}
    for algorithm in ("gan", "spectral"):
        model = build_stacked(algorithm, range(4), 400, batch_size=64)
        shares = train(model, ring(sigma=0.05), 400, record_every=400).shares
        assert modes_kept(shares[0]).max() < 4  # an untrained generator has not found the ring
        kept[algorithm] = modes_kept(shares[-1])
    assert kept["spectral"].min() >= 7
    assert kept["spectral"].sum() >= kept["gan"].sum() + 4
