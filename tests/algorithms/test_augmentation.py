import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from gan_keras.algorithms.augmentation import AUGMENTATIONS, cut_out, recolour, translate
from gan_keras.algorithms.dcgan import DCGAN
from gan_keras.algorithms.wgan_gp import WGANGP
from gan_keras.networks.adversarial_digits import build_critic
from gan_keras.networks.digits import build_generator

SHAPE, BATCH, LATENT_DIM = (16, 16, 1), 6, 4


def images_of(shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def draws_of(*rows):
    return tf.constant(rows, tf.float32)


def slope(function, images, draws):
    images = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        value = tf.reduce_sum(function(images, draws))
    return tape.gradient(value, images).numpy()


def moved(image, down, right):
    """Return an image moved by whole pixels, black where nothing was."""
    height, width = image.shape[:2]
    result = np.full_like(image, -1)
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                result[row, column] = image[row - down, column - right]
    return result


@pytest.mark.parametrize(
    ("draws", "down", "right"),
    [  # sides of 16 and 8 reach 2 and 1 pixels: fifths and thirds of [0, 1)
        ((0.5, 0.5), 0, 0),
        ((0.0, 0.0), -2, -1),
        ((0.19, 0.34), -2, 0),
        ((0.21, 0.66), -1, 0),
        ((0.61, 0.67), 1, 1),
        ((1 - 2**-24, 1 - 2**-24), 2, 1),
    ],
)
def test_translation_by_hand(draws, down, right):
    images = images_of((2, 16, 8, 3))
    result = translate(images, draws_of(draws, (0.5, 0.5)))
    np.testing.assert_allclose(result[0], moved(images[0], down, right), atol=2e-7)
    np.testing.assert_allclose(result[1], images[1], atol=2e-7)  # each image its own way
    gradient = slope(translate, images, draws_of(draws, (0.5, 0.5)))
    inside = moved(np.zeros((16, 8, 3)), -down, -right) == 0  # the pixels that stay in the image
    np.testing.assert_array_equal(gradient[0], inside)
    np.testing.assert_array_equal(gradient[1], np.ones((16, 8, 3)))


@pytest.mark.parametrize(
    ("draws", "rows", "columns"),
    [  # centres are of 0 … 8 and 0 … 16, squares 4 high and 8 wide
        ((0.5, 0.5), (2, 6), (4, 12)),
        ((0.0, 0.5), (0, 2), (4, 12)),
        ((0.12, 1 - 2**-24), (0, 3), (12, 16)),  # floor(0.12 · 9) = 1
        ((1 - 2**-24, 0.0), (6, 8), (0, 4)),
    ],
)
def test_the_place_of_the_cut_by_hand(draws, rows, columns):
    images = images_of((2, 8, 16, 2))
    result = cut_out(images, draws_of(draws, (0.5, 0.5)))
    expected = images[0].copy()
    expected[slice(*rows), slice(*columns)] = -1
    np.testing.assert_array_equal(result[0], expected)
    assert (result[1, 2:6, 4:12].numpy() == -1).all()
    gradient = slope(cut_out, images, draws_of(draws, (0.5, 0.5)))
    np.testing.assert_array_equal(gradient[0], expected != -1)


def test_colour_by_hand():
    images = images_of((4, 5, 7, 3))
    draws = draws_of((0.5, 0.5, 0.5), (0.9, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))
    same, brighter, grey, flat = recolour(images, draws).numpy()
    np.testing.assert_allclose(same, images[0], atol=1e-6)
    np.testing.assert_allclose(brighter, images[1] + 0.4, atol=1e-6)
    np.testing.assert_allclose(
        grey, np.repeat(images[2].mean(2, keepdims=True), 3, axis=2), atol=1e-6
    )
    np.testing.assert_allclose(flat, (images[3] + images[3].mean()) / 2, atol=1e-6)


def test_colour_all_at_once_is_brightness_then_saturation_then_contrast():
    image = np.array([[[[0.2, -0.4]], [[0.6, 0.0]]]], np.float32)  # (1, 2, 1, 2)
    # +0.3: [.5, -.1], [.9, .3]; greys .2, .6; saturation 1.5: [.65, -.25], [1.05, .15];
    # mean .4; contrast 1.25
    expected = 0.4 + 1.25 * (np.array([[0.65, -0.25], [1.05, 0.15]]) - 0.4)
    result = recolour(image, draws_of((0.8, 0.75, 0.75)))
    np.testing.assert_allclose(result[0, :, 0], expected, atol=1e-6)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_gradients_flow_and_are_a_numerical_derivative(name):
    function, count = AUGMENTATIONS[name]
    images = images_of((3, *SHAPE[:2], 3))
    draws = tf.random.stateless_uniform((3, count), [0, 3])
    weights = images_of(images.shape, seed=1)
    gradient = slope(lambda x, d: weights * function(x, d), images, draws)
    assert np.isfinite(gradient).all() and (np.abs(gradient) > 1e-3).mean() > 0.4
    step = images_of(images.shape, seed=2)  # each function is linear in the images
    after, before = (
        np.sum(weights * function(images + sign * step, draws), dtype=np.float64)
        for sign in (1, -1)
    )
    assert np.sum(gradient * step) == pytest.approx((after - before) / 2, abs=2e-3)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_eager_graph_and_xla_agree(name):
    function, count = AUGMENTATIONS[name]
    images = tf.constant(images_of((3, *SHAPE)))
    draws = tf.random.stateless_uniform((3, count), [0, 3])
    eager = function(images, draws)
    for xla in (False, True):
        compiled = tf.function(function, jit_compile=xla)(images, draws)
        np.testing.assert_allclose(compiled, eager, atol=1e-6)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"'flip'.*colour, translation, cutout"):
        DCGAN(
            build_generator(SHAPE, LATENT_DIM, base_filters=2),
            build_critic(SHAPE, base_filters=2),
            augmentation=("cutout", "flip"),
        )


def constant_generator(images):
    """Return a network that draws these same images from any noise: it has one bias a pixel."""
    latents = keras.Input((LATENT_DIM,))
    flat = layers.Dense(images[0].size, kernel_initializer="zeros")(latents)
    network = keras.Model(latents, layers.Reshape(images.shape[1:])(flat))
    network.layers[1].bias.assign(images[0].ravel())
    return network


class Recording(keras.Model):
    """A discriminator that remembers what it saw."""

    def __init__(self, network):
        super().__init__()
        self.network, self.seen = network, []

    def call(self, images, training=False):
        self.seen.append(images.numpy())
        return self.network(images, training=training)


def record(model_class, step=0, augmentation=tuple(AUGMENTATIONS), seed=0, **settings):
    """Take a step in which all images are equal; return what D saw, and the image."""
    image = images_of((1, *SHAPE))
    discriminator = Recording(build_critic(SHAPE, base_filters=2))
    model = model_class(
        constant_generator(image), discriminator, augmentation=augmentation, seed=seed, **settings
    )
    model.step.assign(step)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    model.train_step((tf.constant(np.repeat(image, BATCH * settings.get("n_critic", 1), axis=0)),))
    return discriminator.seen, image


def test_real_and_generated_images_are_changed_alike_and_each_update_in_its_own_way():
    (real, fake, generated), image = record(DCGAN)
    np.testing.assert_array_equal(real, fake)
    views = [image, real, generated]
    views += [record(DCGAN, step=1)[0][0], record(DCGAN, step=1)[0][2], record(DCGAN, seed=1)[0][0]]
    for index, view in enumerate(views):
        for other in views[:index]:
            assert (np.abs(view - other).max((1, 2, 3)) > 0.1).all()
    for index in range(1, BATCH):  # and each image of a batch
        assert np.abs(real[index] - real[:index]).max((1, 2, 3)).min() > 0.1
    again, _ = record(DCGAN)
    np.testing.assert_array_equal(real, again[0])


def test_each_update_of_the_critic_has_its_own_draws():
    seen, image = record(WGANGP, n_critic=3)
    assert len(seen) == 3 * 3 + 1  # x, x̃ and x̂ in each update; then G's
    updates = [seen[3 * i : 3 * i + 3] for i in range(3)]
    for real, fake, between in updates:
        np.testing.assert_array_equal(real, fake)
        np.testing.assert_allclose(between, real, atol=1e-6)  # on the segment of changed images
    views = [image, *(real for real, _, _ in updates), seen[-1]]
    for index, view in enumerate(views):
        for other in views[:index]:
            assert (np.abs(view - other).max((1, 2, 3)) > 0.1).all()


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_name_does_what_it_says(name):
    (real, _, _), image = record(DCGAN, augmentation=(name,))
    (plain, _, _), _ = record(DCGAN, augmentation=())
    np.testing.assert_array_equal(plain, np.repeat(image, BATCH, axis=0))
    assert np.abs(real - plain).max() > 0.1
    if name == "cutout":
        assert set(np.unique(np.where(real == plain, 0, real))) == {0, -1}
    if name == "translation":
        shifts = [(down, right) for down in range(-2, 3) for right in range(-2, 3)]
        for view in real:
            errors = [np.abs(view - moved(image[0], *shift)).max() for shift in shifts]
            assert min(errors) < 1e-6
    if name == "colour":  # an affine change of each image
        for view in real:
            fit = np.polyfit(image.ravel(), view.ravel(), 1)
            assert np.abs(np.polyval(fit, image.ravel()) - view.ravel()).max() < 1e-5


def test_the_draws_of_one_step_are_independent():
    """Colour's, translation's and cutout's draws of one update, and of the updates of a step."""
    model = WGANGP(
        build_generator(SHAPE, LATENT_DIM, base_filters=2),
        build_critic(SHAPE, base_filters=2),
        augmentation=tuple(AUGMENTATIONS),
    )
    drawn = []
    draw = model.random_uniform
    model.random_uniform = lambda *a, **k: drawn.append(draw(*a, **k).numpy()) or drawn[-1]
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    model.train_step((tf.constant(images_of((5 * 40, *SHAPE))),))
    assert [d.shape[0] for d in drawn] == [200] + 18 * [40]
    assert all(d.min() >= 0 and d.max() < 1 for d in drawn)
    columns = [drawn[0].ravel()[:40]]
    for values in drawn[1:]:
        columns += list(values.T)
    correlations = np.corrcoef(columns) - np.eye(len(columns))
    assert np.abs(correlations).max() < 0.6  # of 40 draws: four standard deviations
