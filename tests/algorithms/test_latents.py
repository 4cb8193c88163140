"""Generators of noise and of labels: what they draw, and how they load."""

import keras
import numpy as np
import pytest
import ship
import tensorflow as tf
from keras import layers

import gan_keras
from gan_keras.algorithms.dcgan import DCGAN
from gan_keras.algorithms.latents import Generator, draw_images, draw_latents, spherical
from gan_keras.algorithms.vae import VAE
from gan_keras.algorithms.wgan_gp import WGANGP
from gan_keras.cli import main
from gan_keras.errors import UserError
from gan_keras.networks.adversarial_digits import build_critic
from gan_keras.networks.digits import (
    build_conditional_generator,
    build_decoder,
    build_encoder,
    build_generator,
)

SHAPE, LATENT_DIM, CLASSES = (8, 8, 1), 5, 4


def images_of(count, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (count, *SHAPE)).astype(np.float32)


def flag_generator():
    """Return a generator whose images are one shade each, which tells the label: y/10."""
    latents = keras.Input((LATENT_DIM,), name="latents")
    labels = keras.Input((), dtype="int32", name="labels")
    pixels = layers.Embedding(CLASSES, int(np.prod(SHAPE)), name="embedding")(labels)
    noise = layers.Dense(int(np.prod(SHAPE)), kernel_initializer="zeros")(latents)
    images = layers.Reshape(SHAPE)(layers.Add()([pixels, noise]))
    network = keras.Model([latents, labels], images)
    shades = np.arange(CLASSES)[:, None] / 10 + np.zeros((1, int(np.prod(SHAPE))))
    network.get_layer("embedding").embeddings.assign(shades)
    return network


def labels_in(images):
    images = np.asarray(images)
    assert np.ptp(images, axis=(1, 2, 3)).max() < 1e-6
    return np.round(10 * images.mean((1, 2, 3))).astype(int)


class Recording(keras.Model):
    """A conditional discriminator that remembers what it was shown."""

    def __init__(self):
        super().__init__()
        self.network, self.seen = build_critic(SHAPE, base_filters=2), []

    def call(self, inputs, training=False):
        images, labels = inputs
        self.seen.append((images.numpy(), labels.numpy()))
        return self.network(images, training=training)


@pytest.mark.parametrize(
    ("algorithm", "settings", "calls"),
    [
        (DCGAN, {}, 3),
        (DCGAN, {"r1_weight": 1.0, "r1_every": 1}, 4),
        (WGANGP, {"n_critic": 2}, 3 * 2 + 1),  # x, x̃ and x̂ in each update; then G's
    ],
    ids=["dcgan", "r1", "wgan_gp"],
)
def test_both_players_see_the_labels_of_the_batch(algorithm, settings, calls):
    """Real and generated images here show their label: each must come with its own."""
    discriminator = Recording()
    model = algorithm(flag_generator(), discriminator, **settings)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.1))
    labels = np.array([3, 1, 0, 2, 2, 1])
    real = np.broadcast_to((labels / 10)[:, None, None, None], (6, *SHAPE)).astype(np.float32)
    model.train_step((tf.constant(real), tf.constant(labels)))
    assert len(discriminator.seen) == calls
    for images, shown in discriminator.seen:
        np.testing.assert_array_equal(labels_in(images), shown)
    if algorithm is WGANGP:
        firsts = [discriminator.seen[i][1] for i in (0, 3)]
        np.testing.assert_array_equal(np.concatenate(firsts), labels)
    else:
        np.testing.assert_array_equal(discriminator.seen[0][1], labels)
        np.testing.assert_array_equal(discriminator.seen[-1][1], labels)
    discriminator.seen.clear()
    model.test_step((tf.constant(real), tf.constant(labels)))
    assert len(discriminator.seen) == 2
    for images, shown in discriminator.seen:
        np.testing.assert_array_equal(shown, labels)
        np.testing.assert_array_equal(labels_in(images), labels)


def test_the_label_changes_what_the_generator_draws(randomise):
    network = randomise(build_conditional_generator(SHAPE, LATENT_DIM, 2, CLASSES))
    same = np.zeros((CLASSES, LATENT_DIM), np.float32)
    images = network([same, np.arange(CLASSES)]).numpy()
    for i in range(CLASSES):
        for j in range(i):
            assert np.abs(images[i] - images[j]).max() > 1e-3
    np.testing.assert_allclose(network([same[:2], np.array([2, 2])])[0], images[2], atol=1e-6)


def test_labels_of_drawn_images():
    network = flag_generator()
    assert labels_in(draw_images(network, 6)).tolist() == [0, 1, 2, 3, 0, 1]  # in turn
    assert labels_in(draw_images(network, 3, labels=2)).tolist() == [2, 2, 2]
    assert labels_in(draw_images(network, 3, labels=[3, 0, 1])).tolist() == [3, 0, 1]
    model = DCGAN(network, Recording())
    assert labels_in(model.generate(3, labels=1)).tolist() == [1, 1, 1]
    assert model.classes == CLASSES


@pytest.mark.parametrize("labels", [-1, CLASSES, [0, 1, CLASSES]])
def test_labels_that_it_does_not_know_are_refused(labels):
    with pytest.raises(UserError, match=f"it knows 0 to {CLASSES - 1}"):
        draw_images(flag_generator(), 3, labels=labels)


def test_labels_where_there_are_none_are_refused():
    with pytest.raises(UserError, match="takes no labels"):
        draw_images(build_generator(SHAPE, LATENT_DIM, base_filters=2), 3, labels=1)


@pytest.mark.parametrize("conditional", [False, True])
def test_a_generators_file_loads_as_what_draws(conditional, randomise, tmp_path):
    if conditional:
        network = build_conditional_generator(SHAPE, LATENT_DIM, 2, CLASSES)
    else:
        network = build_generator(SHAPE, LATENT_DIM, base_filters=2)
    randomise(network).save(tmp_path / "digits.keras")
    loaded = gan_keras.load(tmp_path / "digits.keras")
    assert type(loaded) is Generator
    assert (loaded.latent_dim, loaded.classes) == (LATENT_DIM, CLASSES if conditional else None)
    images = loaded.generate(5, seed=3)
    assert images.shape == (5, *SHAPE) and images.dtype == np.float32
    np.testing.assert_array_equal(images, draw_images(network, 5, seed=3))
    np.testing.assert_array_equal(images, Generator(network).generate(5, seed=3))
    assert np.abs(images - loaded.generate(5, seed=4)).max() > 0.01
    latents = np.random.default_rng(0).normal(size=(2, LATENT_DIM)).astype(np.float32)
    inputs = [latents, np.array([0, 1])] if conditional else latents
    np.testing.assert_array_equal(loaded(inputs), network(inputs, training=False))
    if conditional:
        one = loaded.generate(5, seed=3, labels=2)
        np.testing.assert_allclose(one[2], images[2], atol=1e-6)  # the third in turn is a 2
        assert np.abs(one[0] - images[0]).max() > 1e-3


def test_a_vae_of_plain_layers_loads_as_a_vae(randomise, tmp_path):
    sizes = {"image_shape": SHAPE, "latent_dim": LATENT_DIM, "base_filters": 2}
    vae = VAE(randomise(build_encoder(**sizes)), randomise(build_decoder(**sizes), seed=1))
    vae.compile()
    network = ship._functional(vae)
    network.save(tmp_path / "vae.keras")
    loaded = gan_keras.load(tmp_path / "vae.keras")
    assert type(loaded) is VAE
    images = images_of(6)
    for method in ("reconstruct", "encode"):
        expected, found = getattr(vae, method)(images), getattr(loaded, method)(images)
        np.testing.assert_array_equal(np.asarray(expected), np.asarray(found))
    np.testing.assert_array_equal(vae.generate(3, seed=1), loaded.generate(3, seed=1))
    results = [m.evaluate(images, verbose=0, return_dict=True) for m in (vae, loaded)]
    assert results[0] == pytest.approx(results[1]) and results[0]["kl"] > 0.1
    outputs = keras.saving.load_model(tmp_path / "vae.keras", safe_mode=True)(images)
    np.testing.assert_allclose(vae.decode(outputs["mean"]), vae.reconstruct(images), atol=1e-5)


@pytest.fixture(scope="module")
def files(tmp_path_factory, randomise):
    folder = tmp_path_factory.mktemp("generators")
    network = build_conditional_generator(SHAPE, LATENT_DIM, 2, CLASSES)
    randomise(network).save(folder / "conditional.keras")
    randomise(build_generator(SHAPE, LATENT_DIM, base_filters=2)).save(folder / "plain.keras")
    sizes = {"image_shape": SHAPE, "latent_dim": LATENT_DIM, "base_filters": 2}
    vae = VAE(build_encoder(**sizes), build_decoder(**sizes))
    vae.compile()
    vae.save(folder / "vae.keras")
    return folder


def run(capfd, *arguments):
    """Return (exit status, lines on stderr)."""
    capfd.readouterr()
    try:
        status = main(["generate", *map(str, arguments)])
    except SystemExit as stopped:
        status = stopped.code
    err = capfd.readouterr().err.replace("\r", "\n")
    return status, [line for line in err.splitlines() if line]


def test_the_command_line_draws_a_label(capfd, files, tmp_path):
    pictures = {}
    for label in (None, 3, 0):
        asked = [] if label is None else ["--label", label]
        out = tmp_path / f"{label}.png"
        status, err = run(capfd, files / "conditional.keras", "--count", 5, *asked, "--out", out)
        assert (status, err) == (0, [])
        pictures[label] = out.read_bytes()
    assert len(set(pictures.values())) == 3


@pytest.mark.parametrize(
    ("name", "label", "words"),
    [
        ("conditional", CLASSES, f"it knows 0 to {CLASSES - 1}"),
        ("conditional", -1, f"it knows 0 to {CLASSES - 1}"),
        ("conditional", "three", "invalid int value"),
        ("plain", 3, "takes no --label"),
        ("vae", 3, "takes no --label"),
    ],
)
def test_labels_that_cannot_be_end_in_one_line(capfd, files, tmp_path, name, label, words):
    out = tmp_path / "digits.png"
    status, err = run(capfd, files / f"{name}.keras", "--label", label, "--out", out)
    assert status == 2 and len(err) == 1, err
    assert words in err[0] and not out.exists()
    assert "Traceback" not in err[0]


def test_a_bare_decoder_is_no_generator_of_images(tmp_path):
    build_decoder(SHAPE, 5, 2).save(tmp_path / "decoder.keras")
    assert not isinstance(gan_keras.load(tmp_path / "decoder.keras"), Generator)


def test_a_spherical_walk_turns_at_an_even_rate():
    right, up = np.eye(2, dtype=np.float32)
    walk = spherical(right, up, [0, 1 / 3, 1])
    np.testing.assert_allclose(walk, [[1, 0], [3**0.5 / 2, 0.5], [0, 1]], atol=1e-7)
    tilted = np.array([-1, 1], np.float32)  # at 135 degrees, √2 long
    np.testing.assert_allclose(
        spherical(right, tilted, [0.5])[0],
        (right + tilted) / (2 * np.cos(3 * np.pi / 8)),
        atol=1e-6,
    )


def test_a_spherical_walk_stays_in_the_shell_that_the_line_leaves():
    start, end = draw_latents(2, 100, seed=3)
    walk = spherical(start, end, np.linspace(0, 1, 11))
    np.testing.assert_array_equal(walk[[0, -1]], [start, end])
    assert walk.dtype == np.float32
    norms = np.linalg.norm(walk, axis=1) / 100**0.5
    ends = sorted([norms[0], norms[-1]])
    assert ends[0] - 0.02 < norms.min() and norms.max() < ends[1] + 0.02
    assert np.linalg.norm((start + end) / 2) / 100**0.5 < 0.85


def test_a_spherical_walk_between_equal_and_opposite_vectors():
    start = draw_latents(1, 8, seed=3)[0]
    np.testing.assert_allclose(spherical(start, start, [0, 0.3, 1]), [start] * 3, atol=1e-6)
    assert np.isfinite(spherical(start, -start, [0, 0.5, 1])).all()
