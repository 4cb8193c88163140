"""Chapter 06's theorems: what losses ask of an enhancer, conditional games, patches.

Two more are in `test_theory`: PatchGAN's 70 pixels, and that instance norm ignores a·x + b.
"""

import math

import numpy as np
import pytest
import tensorflow as tf

from gan_keras.algorithms.pix2pix import Pix2Pix
from gan_keras.data.photo_files import photo_paths
from gan_keras.data.photos import Photographs
from gan_keras.data.ranges import from_uint8
from gan_keras.losses.adversarial import discriminator_cross_entropy, generator_non_saturating
from gan_keras.losses.reconstruction import l1
from gan_keras.networks.patchgan import build_patchgan
from gan_keras.networks.receptive_field import receptive_field
from gan_keras.networks.unet import build_unet
from gan_keras.teaching.half_hidden import KNOWN, DigitWorld, threes_and_eights

# A joint law of x and y, exactly: P(x, y) on four pictures x and three observations y

VALUES = np.array([-1.0, -0.2, 0.3, 1.0])
JOINT = np.array([[0.20, 0.05, 0.01], [0.05, 0.05, 0.09], [0.05, 0.10, 0.05], [0.10, 0.05, 0.20]])
OBSERVED = JOINT.sum(0)
POSTERIOR = JOINT / OBSERVED  # (x, y)


def errors(answers, power=2):
    """Return E|x − x̂|^p where x̂ is drawn from answers, {value: P(value|y) (3,)}, given y."""
    return sum(
        float(np.sum(JOINT * np.abs(VALUES[:, None] - value) ** power * share))
        for value, share in answers.items()
    )


def test_a_posterior_sample_has_twice_the_error_of_the_mean():
    mean = VALUES @ POSTERIOR
    mmse = float(np.sum(JOINT * (VALUES[:, None] - mean) ** 2))
    sample = errors({value: POSTERIOR[i] for i, value in enumerate(VALUES)})
    assert sample == pytest.approx(2 * mmse)
    guess = float(np.sum(JOINT * (VALUES[:, None] - VALUES[POSTERIOR.argmax(0)]) ** 2))
    assert mmse < guess < sample  # the likeliest picture is in between here


def test_the_same_in_a_world_of_digits():
    world = DigitWorld(threes_and_eights("test")[0][::4])
    draw, ratio = np.random.default_rng(0), []
    for _ in range(60):
        seen = world.look(world.pictures[draw.integers(len(world.pictures))], draw)
        weights, pictures = world.weights(seen), world.pictures[:, ~KNOWN]
        spread = weights @ np.square(pictures - weights @ pictures).sum(1)
        squares = np.square(pictures[:, None] - pictures[None]).sum(-1)
        ratio.append((weights @ squares @ weights) / spread)  # two draws, apart
    np.testing.assert_allclose(ratio, 2, rtol=1e-3)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_a_share_of_the_way_to_a_sample_costs_its_square(share):
    mean = VALUES @ POSTERIOR
    mmse = float(np.sum(JOINT * (VALUES[:, None] - mean) ** 2))
    total = 0.0
    for i, drawn in enumerate(VALUES):
        answer = mean + share * (drawn - mean)
        total += float(np.sum(JOINT * (VALUES[:, None] - answer) ** 2 * POSTERIOR[i]))
    assert total == pytest.approx((1 + share**2) * mmse)


def test_the_posterior_mean_and_median_are_the_best_of_all_answers():
    draw = np.random.default_rng(0)
    grid = np.linspace(-1.2, 1.2, 2401)
    for y in range(3):
        law = POSTERIOR[:, y]
        squared = [(law * (VALUES - c) ** 2).sum() for c in grid]
        absolute = np.array([(law * np.abs(VALUES - c)).sum() for c in grid])
        assert grid[np.argmin(squared)] == pytest.approx(law @ VALUES, abs=1e-3)
        median = VALUES[np.searchsorted(np.cumsum(law), 0.5)]
        at_median = (law * np.abs(VALUES - median)).sum()
        assert at_median <= absolute.min() + 1e-9
        some = draw.choice(VALUES, 400, p=law).astype(np.float32)[:, None]
        assert float(l1(some, np.full_like(some, np.median(some)))) <= min(
            float(l1(some, np.full_like(some, c))) for c in grid[::40]
        )


def test_dice_cost_a_pixel_loss_their_variance():
    """Jensen: E|x − G(y, z)| ≥ E|x − E_z G|, and for squares by exactly Var_z: dice are ignored."""
    draw = np.random.default_rng(0)
    for y in range(3):
        answers, law = draw.normal(size=5), POSTERIOR[:, y]
        apart = VALUES[:, None] - answers
        with_dice = (law @ apart**2).mean(), (law @ np.abs(apart)).mean()
        missed = VALUES - answers.mean()
        assert with_dice[0] == pytest.approx(law @ missed**2 + answers.var())
        assert with_dice[1] >= law @ np.abs(missed)


def test_reading_a_sample_is_right_less_often_than_the_best_guess():
    """Σ p² against max p, and never less than half of the way for two classes."""
    for p in np.random.default_rng(0).dirichlet(np.ones(4), size=200):
        assert p @ p <= p.max() + 1e-12
    p = np.linspace(0.5, 1, 11)
    np.testing.assert_allclose(p**2 + (1 - p) ** 2, p - (2 * p - 1) * (1 - p))


# The conditional game


def restored_law():
    """Return a generator's q(x|y), (4, 3), that is not the posterior."""
    q = np.array([[0.1, 0.4, 0.2], [0.3, 0.1, 0.2], [0.4, 0.1, 0.3], [0.2, 0.4, 0.3]])
    return q / q.sum(0)


def test_the_best_conditional_discriminator_compares_posteriors():
    """D*(x, y) = p(x|y)/(p(x|y) + q(x|y)): the law of y cancels, by gradient of our own loss."""
    q = restored_law()
    wanted = np.log(POSTERIOR / q)
    weights_real, weights_fake = (
        np.round(law * 10_000).astype(int) for law in (JOINT, OBSERVED * q)
    )
    logits = tf.Variable(wanted.astype(np.float32))
    with tf.GradientTape() as tape:
        real = tf.repeat(tf.reshape(logits, [-1]), weights_real.ravel())[:, None]
        fake = tf.repeat(tf.reshape(logits, [-1]), weights_fake.ravel())[:, None]
        loss = discriminator_cross_entropy(real, fake)
    assert float(tf.reduce_max(tf.abs(tape.gradient(loss, logits)))) < 1e-4
    shifted = discriminator_cross_entropy(real + 0.1, fake + 0.1)
    assert float(shifted) > float(loss)
    without_condition = np.log(JOINT.sum(1) / (OBSERVED * q).sum(1))
    assert np.abs(without_condition[:, None] - wanted).max() > 0.3


def test_the_value_at_the_best_discriminator_is_a_mean_of_jensen_shannons():
    q, value, divergences = restored_law(), 0.0, []
    for y in range(3):
        p, g = POSTERIOR[:, y], q[:, y]
        best = p / (p + g)
        value += OBSERVED[y] * (p @ np.log(best) + g @ np.log(1 - best))
        middle = (p + g) / 2
        divergences.append(0.5 * (p @ np.log(p / middle) + g @ np.log(g / middle)))
    assert value == pytest.approx(2 * OBSERVED @ divergences - math.log(4))


def test_an_unconditional_discriminator_is_content_with_another_photograph():
    """A shuffled posterior has the right law of x; only the pair gives it away."""
    swapped = POSTERIOR[:, [1, 2, 0]]
    np.testing.assert_allclose(swapped.mean(1), POSTERIOR.mean(1))  # y uniform
    assert np.abs(swapped - POSTERIOR).max() > 0.2


def test_labels_by_projection_are_exact_where_classes_are_softmax_linear():
    """log p(x|c)/q(x|c) = log p(c|x)/q(c|x) + log p(x)/q(x) − log p(c)/q(c), for each c and x."""
    draw = np.random.default_rng(0)
    p, q = (draw.dirichlet(np.ones(12)).reshape(4, 3) for _ in range(2))  # joint of x and c
    left = np.log(p / p.sum(0)) - np.log(q / q.sum(0))
    right = np.log(p / p.sum(1, keepdims=True)) - np.log(q / q.sum(1, keepdims=True))
    right += np.log(p.sum(1) / q.sum(1))[:, None] - np.log(p.sum(0) / q.sum(0))
    np.testing.assert_allclose(left, right)


def test_without_dice_the_most_probable_picture_is_best():
    """V(D*, δ_k) = p log(p/(1 + p)) − log(1 + p) falls with p = P(x_k|y)."""
    for y in range(3):
        law, values = POSTERIOR[:, y], []
        for chosen in range(4):
            point = np.eye(4)[chosen]
            best = law / (law + point)
            value = law @ np.log(best) + np.log(1 - best[chosen])
            p = law[chosen]
            assert value == pytest.approx(p * math.log(p / (1 + p)) - math.log(1 + p))
            values.append(value)
        assert np.argmin(values) == np.argmax(law)
        assert (np.argsort(values) == np.argsort(-law, kind="stable")).all()


# L1 + λ·adversarial


@pytest.mark.parametrize("weight", [0.0, 1.0, 100.0])
def test_the_generators_gradient_is_that_of_both_terms(weight, randomise):
    """One SGD step of the package moves G by −(∇adversarial + λ·∇L1), D being as it is then."""
    import keras

    draw = np.random.default_rng(0)
    degraded, target = (
        tf.constant(draw.uniform(-1, 1, (2, 16, 16, 3)), tf.float32) for _ in range(2)
    )
    generator = randomise(build_unet(base_filters=2, depth=1))
    judge = randomise(build_patchgan(base_filters=2, downsamplings=1), seed=1)
    model = Pix2Pix(generator, judge, l1_weight=weight)
    model.compile(keras.optimizers.SGD(1e-3), keras.optimizers.SGD(0.0), run_eagerly=True)
    before = [variable.numpy() for variable in generator.trainable_variables]
    with tf.GradientTape() as tape:
        restored = generator(degraded, training=True)
        loss = generator_non_saturating(judge([degraded, restored], training=True))
        loss += weight * l1(target, restored)
    wanted = tape.gradient(loss, generator.trainable_variables)
    model.train_step((degraded, target))
    for old, new, gradient in zip(before, generator.trainable_variables, wanted, strict=True):
        np.testing.assert_allclose(old - new.numpy(), 1e-3 * gradient.numpy(), atol=2e-5)


# Shapes


@pytest.mark.parametrize(("downsamplings", "patch"), [(1, 16), (2, 34), (3, 70)])
def test_the_recurrence_gives_the_patch(downsamplings, patch):
    """r ← r + (k − 1)·j, j ← s·j; from the end: r ← (r − 1)·s + k."""
    stack = [(4, 2)] * downsamplings + [(4, 1)] * 2
    field, jump = 1, 1
    for kernel, stride in stack:
        field, jump = field + (kernel - 1) * jump, jump * stride
    needed = 1
    for kernel, stride in reversed(stack):
        needed = (needed - 1) * stride + kernel
    network = build_patchgan(base_filters=2, downsamplings=downsamplings)
    assert field == needed == patch == receptive_field(network)[0]


def test_an_untrained_residual_network_does_nothing():
    """G(y) = y + change(y) with a last layer of zeros: training starts at do-nothing's PSNR."""
    image = from_uint8(Photographs(photo_paths()[:1])[0][:64, :64])[None]
    np.testing.assert_array_equal(np.asarray(build_unet(base_filters=2)(image)), image)


def test_a_normalisation_of_the_image_costs_an_enhancer_brightness_and_contrast():
    """Instance norm(a·x + b) = instance norm(x), a > 0; batch norm of one image is the same map."""
    from keras import layers

    x = np.random.default_rng(0).normal(size=(1, 24, 24, 3)).astype(np.float32)
    instance = layers.GroupNormalization(groups=-1, epsilon=1e-9)
    batch = layers.BatchNormalization(epsilon=1e-9)
    np.testing.assert_allclose(instance(3 * x - 2), instance(x), atol=1e-4)
    np.testing.assert_allclose(batch(x, training=True), instance(x), atol=1e-4)
    two = np.concatenate([x, 3 * x - 2])
    assert np.abs(batch(two, training=True)[:1] - instance(x)).max() > 0.5  # batch-mates count
