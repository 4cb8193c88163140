"""The training doctor: illnesses made on purpose, healthy runs, and what it must leave alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.distance import cdist

from gan_keras.algorithms.dcgan import DCGAN
from gan_keras.algorithms.randomness import GENERATOR
from gan_keras.algorithms.vae import VAE
from gan_keras.algorithms.wgan_gp import WGANGP
from gan_keras.data.digits import DigitBatches, load_digits
from gan_keras.data.photos import Photographs, photo_paths
from gan_keras.data.ranges import from_uint8, to_unit
from gan_keras.networks.adversarial_digits import (
    build_critic,
    build_projection_discriminator,
    build_spectral_discriminator,
)
from gan_keras.networks.digits import (
    build_conditional_generator,
    build_decoder,
    build_discriminator,
    build_encoder,
    build_generator,
)
from gan_keras.training.doctor import TrainingDoctor

RATE = 1e-3  # of the recipe "dcgan"


@pytest.fixture(scope="module")
def images():
    """Return both data sets by name: 4,000 images (28, 28, 1) in [-1, 1] each."""
    generator = np.random.default_rng(0)
    photographs = [p.mean(axis=-1, keepdims=True) for p in Photographs(photo_paths())]
    patches = []
    for index in generator.integers(len(photographs), size=4000):
        height, width = photographs[index].shape[:2]
        top, left = generator.integers([height - 27, width - 27])
        patches.append(photographs[index][top : top + 28, left : left + 28])
    return {
        "digits": from_uint8(load_digits()[0]),
        "patches": from_uint8(np.round(np.stack(patches))),
    }


def build(kind=DCGAN, discriminator=build_discriminator, rates=(RATE, RATE), loss=None, seed=0):
    """Return a small compiled model."""
    keras.utils.set_random_seed(seed)
    model = kind(
        build_generator(base_filters=8), discriminator(base_filters=8), seed=seed, average_decay=0.9
    )
    model.compile(*(keras.optimizers.Adam(rate, beta_1=0.5) for rate in rates), loss=loss)
    return model


def train(model, images, steps, every=100, batch=32, callbacks=()):
    """Train in epochs of 100 steps, attended by a doctor; return it, and what it said."""
    said = []
    doctor = TrainingDoctor(images, say=said.append, every=every)
    data = tf.data.Dataset.from_tensor_slices((images,)).shuffle(4000, seed=model.seed).repeat()
    epochs = max(1, steps // 100)
    model.fit(
        data.batch(batch),
        steps_per_epoch=steps // epochs,
        epochs=epochs,
        callbacks=[doctor, *callbacks],
        verbose=0,
    )
    return doctor, said


def named(doctor):
    return [finding.illness for finding in doctor.findings]


def frozen_discriminator(seed):
    """D never learns, and G learns to please it."""
    return build(rates=(RATE, 0.0), seed=seed)


def overwhelming_discriminator(seed):
    """D is fast, and the saturating loss starves G where D is sure."""
    return build(rates=(2e-4, 5e-3), loss="saturating", seed=seed)


def slow_statistics(seed):
    """The running statistics remember ten thousand steps."""
    model = build(seed=seed)
    for layer in model.generator.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9999
    return model


class Forgetful(DCGAN):
    """The usual step, with each `training=True` forgotten."""

    def train_step(self, data):
        shape = (tf.shape(data[0])[0], self.latent_dim)
        with tf.GradientTape() as tape:
            fake_logits = self.discriminator(self.generator(self.random_normal(shape, 0)))
            d_loss = self._discriminator_objective(self.discriminator(data[0]), fake_logits)
        variables = self.discriminator.trainable_variables
        self.discriminator_optimizer.apply(tape.gradient(d_loss, variables), variables)
        with tf.GradientTape() as tape:
            fake_images = self.generator(self.random_normal(shape, GENERATOR))
            g_loss = self._generator_objective(self.discriminator(fake_images))
        variables = self.generator.trainable_variables
        self.generator_optimizer.apply(tape.gradient(g_loss, variables), variables)
        return self._finish_step(d_loss, g_loss)


def forgotten_training(seed):
    """BatchNorm is never told that this is training."""
    return build(Forgetful, seed=seed)


ILL = {  # accident: (illness, steps until it is named and one checkup more, part of the sentence)
    frozen_discriminator: ("collapse", 400, "(its rate is 0)", "04"),
    overwhelming_discriminator: ("discriminator too strong", 500, "(0.005; ", "04"),
    slow_statistics: ("batch norm gap", 500, "(0.9999 is a memory of 10000 steps", "03"),
    forgotten_training: ("batch norm gap", 200, "after 100 steps", "03"),
}


def check_ill(accident, images, seed):
    illness, steps, number, chapter = ILL[accident]
    doctor, said = train(accident(seed), images, steps)
    assert named(doctor) == [illness]  # this one, once, and no other
    (finding,) = doctor.findings
    assert said == [finding.sentence]
    assert f"(epoch {finding.epoch}, step {finding.step})" in finding.sentence
    assert finding.epoch * 100 == finding.step <= steps
    assert finding.sentence.startswith(illness) and number in finding.sentence
    assert f"(chapter {chapter})." in finding.sentence
    assert all(np.isfinite(value) for value in finding.evidence.values())


@pytest.mark.parametrize(
    "accident",
    [
        pytest.param(frozen_discriminator, marks=pytest.mark.slow),
        pytest.param(overwhelming_discriminator, marks=pytest.mark.slow),
        slow_statistics,
        forgotten_training,
    ],
)
def test_an_illness_on_digits_is_named(images, accident):
    check_ill(accident, images["digits"], seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("accident", ILL, ids=lambda accident: accident.__name__)
def test_an_illness_on_photographs_is_named_on_any_seed(images, accident, seed):
    check_ill(accident, images["patches"], seed)


@pytest.mark.parametrize("name", ["digits", "patches"])
@pytest.mark.parametrize(
    ("spoil", "number", "advice"),
    [
        (to_unit, "between 0 and 1,", "from_unit"),
        (lambda x: (x + 1) * 127.5, "and 255,", "from_uint8"),
        (lambda x: x / 127.5 - 1, "between -1.008 and -0.9922", "scaled twice"),
        (lambda x: (x - x.mean()) / x.std(), "where -1 to 1 is wanted", "from_uint8"),
    ],
    ids=["unit", "bytes", "twice", "standardised"],
)
def test_a_wrong_range_is_named_before_training(images, name, spoil, number, advice):
    doctor, said = train(build(), spoil(images[name]), 2, every=1)
    assert named(doctor) == ["wrong image range"] and not doctor.checkups
    (sentence,) = said
    assert "(before training)" in sentence and "(chapter 03)." in sentence
    assert number in sentence and advice in sentence
    assert doctor.findings[0].evidence["highest"] == pytest.approx(spoil(images[name]).max(), 0.05)


def test_healthy_digits_are_left_in_peace(images):
    doctor, said = train(build(), images["digits"], 500)
    assert (said, doctor.findings) == ([], [])
    assert [checkup.step for checkup in doctor.checkups] == [100, 200, 300, 400, 500]
    last = doctor.checkups[-1]
    assert last.distance < 0.05 and last.kinds > 0.55  # it was healthy indeed


HEALTHY = {
    "dcgan": {},
    "dcgan, the paper's rates": {"rates": (2e-4, 2e-4)},
    "least squares": {"loss": "least_squares"},
    "hinge": {"loss": "hinge"},
    "hinge, spectral": {"loss": "hinge", "discriminator": build_spectral_discriminator},
    "wgan-gp": {"kind": WGANGP, "discriminator": build_critic, "rates": (5e-4, 5e-4)},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "patches"])
@pytest.mark.parametrize("run", HEALTHY)
def test_a_healthy_run_is_left_in_peace(images, run, name):
    batch = 80 if run == "wgan-gp" else 32
    doctor, said = train(build(**HEALTHY[run], seed=1), images[name], 500, batch=batch)
    assert said == [] and len(doctor.checkups) == 5


def test_dark_and_bright_images_in_range_are_right(images):
    """Digits are mostly -1; of the brightest patches, none has a pixel below middle grey."""
    bright = images["patches"]
    bright = bright[bright.min(axis=(1, 2, 3)) >= 0]
    assert len(bright) > 128
    dark = images["digits"] * 0.5 - 0.5
    for right in (bright, np.sort(bright), dark):
        doctor = TrainingDoctor(right, say=pytest.fail)
        doctor.set_model(build())
        doctor.on_train_begin()


def test_unit_images_suit_a_generator_that_makes_them(images):
    generator = build_generator(base_filters=4)
    unit = keras.layers.Rescaling(0.5, 0.5, dtype="float32")(generator.output)
    model = DCGAN(keras.Model(generator.input, unit), build_discriminator(base_filters=4))
    doctor = TrainingDoctor(to_unit(images["digits"]), say=pytest.fail)
    doctor.set_model(model)
    doctor.on_train_begin()


def test_the_measures_are_those_of_the_docstring(images):
    """The distance and the kinds, written anew with SciPy."""
    doctor, _ = train(build(), images["digits"], 4, every=4, batch=256)
    (checkup,) = doctor.checkups
    real = images["digits"][np.linspace(0, 3999, 256).astype(int)]
    real = real[np.random.default_rng(0).permutation(256)].reshape(256, -1)
    latents = np.random.default_rng(0).standard_normal((256, 100), np.float32)
    made = doctor.model.generator(latents, training=False).numpy().reshape(256, -1)
    within = [cdist(x, x)[~np.eye(256, dtype=bool)].mean() for x in (real, made)]
    distance = (2 * cdist(real, made).mean() - sum(within)) / within[0]
    assert checkup.inference_distance == pytest.approx(distance, rel=1e-4)

    batches = [
        doctor.model.generator(latents[i : i + 64], training=True) for i in (0, 64, 128, 192)
    ]
    kinds = []
    for x in (np.concatenate(batches).reshape(256, -1), real[64:]):
        shares = np.unique(cdist(x, real[:64]).argmin(1), return_counts=True)[1] / len(x)
        kinds.append(np.prod(shares**-shares))
    assert checkup.kinds == pytest.approx(kinds[0] / kinds[1], rel=1e-4)


def test_nothing_of_the_model_is_changed(images):
    some = images["digits"][:256]
    runs = []
    for callbacks in ([], [TrainingDoctor(some, say=pytest.fail, every=2)]):
        model = build()
        model.fit(some, batch_size=64, epochs=1, callbacks=callbacks, shuffle=False, verbose=0)
        runs.append(model.variables)
    for one, other in zip(*runs, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(callbacks[0].checkups) == 2


def test_labels_and_critics_are_understood_in_bfloat16(images):
    """A class-conditional DCGAN on labelled batches; a WGAN-GP, whose loss has no zero."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    digits, labels = load_digits()
    adam = [keras.optimizers.Adam(RATE), keras.optimizers.Adam(RATE)]
    model = DCGAN(
        build_conditional_generator(base_filters=4), build_projection_discriminator(base_filters=4)
    )
    model.compile(*adam)
    data = DigitBatches(digits, labels, steps_per_epoch=2)
    doctor = TrainingDoctor(data, say=pytest.fail, every=1)
    model.fit(data, epochs=1, callbacks=[doctor], verbose=0)
    assert len(doctor.checkups) == 2 and doctor.checkups[0].discriminator_loss < 2

    doctor, _ = train(build(WGANGP, build_critic), images["digits"], 2, every=1, batch=80)
    assert len(doctor.checkups) == 2 and doctor.checkups[0].discriminator_loss == np.inf


def test_other_models_are_only_asked_for_their_range(images):
    vae = VAE(build_encoder(base_filters=4), build_decoder(base_filters=4))
    vae.compile()
    plain = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(10)])
    plain.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    labels = load_digits()[1]
    for model, data in ((vae, (images["digits"],)), (plain, (images["digits"], labels))):
        doctor = TrainingDoctor(data, say=pytest.fail, every=1)
        model.fit(*data, batch_size=64, steps_per_epoch=3, callbacks=[doctor], verbose=0)
        assert doctor.checkups == []
        doctor = TrainingDoctor((to_unit(data[0]), *data[1:]), say=lambda line: None)
        doctor.set_model(model)
        doctor.on_train_begin()
        assert named(doctor) == ["wrong image range"]
    table = TrainingDoctor((np.zeros((300, 5)), np.zeros(300)), say=pytest.fail, every=1)
    plain = keras.Sequential([keras.layers.Dense(1)])
    plain.compile("sgd", "mse")
    plain.fit(np.zeros((300, 5)), np.zeros(300), callbacks=[table], verbose=0)


def test_all_kinds_of_data_show_the_same_illness(images):
    wrong = to_unit(images["digits"])

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 40

        def __getitem__(self, index):
            return (wrong[index * 100 : index * 100 + 100],)

    data_set = tf.data.Dataset.from_tensor_slices((wrong,)).batch(60).repeat()
    for data in (wrong, (wrong,), tf.constant(wrong[:300]), Batches(), data_set):
        doctor = TrainingDoctor(data, say=lambda line: None)
        doctor.set_model(build())
        doctor.on_train_begin()
        assert named(doctor) == ["wrong image range"]
        assert doctor.findings[0].sentence.split(": ")[1].startswith("256 real images")


def test_a_generator_is_not_used_up(images):
    data = iter([images["digits"][:32]])
    with pytest.raises(TypeError, match="use up this generator"):
        TrainingDoctor(data)
    assert len(next(data)) == 32
