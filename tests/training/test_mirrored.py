"""Two replicas on two logical CPUs: in a process of its own, for devices are set up once."""

import json

import pytest

from gan_keras.errors import UserError
from gan_keras.training.runtime import build_strategy, choose_runtime

SETUP = """
import sys
import keras
import numpy as np
import tensorflow as tf

(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
"""

STEPS = """
from contextlib import nullcontext

from gan_keras import DCGAN, VAE, WGANGP, Pix2Pix
from gan_keras.networks.adversarial_digits import build_critic
from gan_keras.networks.digits import build_decoder, build_encoder
from gan_keras.networks.patchgan import build_patchgan
from gan_keras.networks.restorer import build_restorer
from gan_keras.training.runtime import build_strategy


def build_plain_generator():
    latents = keras.Input((8,), name="latents")
    x = keras.layers.Reshape((7, 7, 2))(keras.layers.Dense(98, "relu")(latents))
    x = keras.layers.Conv2DTranspose(2, 4, 2, "same", activation="relu")(x)
    return keras.Model(latents, keras.layers.Conv2DTranspose(1, 4, 2, "same")(x))


def shared(of_all):
    # this replica's rows of a draw for all: one batch of 32 is then two of 16
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    rows = tf.shape(of_all)[0] // replicas
    return of_all[replica * rows : (replica + 1) * rows]


def with_shared_noise(algorithm):
    class Shared(algorithm):
        def random_normal(self, shape, stream, counter=None):
            whole = tf.concat([[32], shape[1:]], 0)
            seed = tf.stack([tf.cast(stream, tf.int64), self.step.value])
            return shared(tf.random.stateless_normal(whole, seed))

        def random_uniform(self, shape, stream, counter=None, draw=0):
            whole = tf.concat([[32], shape[1:]], 0)
            seed = tf.stack([tf.cast(stream + 9, tf.int64), self.step.value])
            return shared(tf.random.stateless_uniform(whole, seed))

    return Shared


def sgd():
    return keras.optimizers.SGD(0.01)


def adversarial(algorithm, *networks, **settings):
    model = with_shared_noise(algorithm)(*networks, **settings)
    model.compile(sgd(), sgd(), jit_compile=False)
    return model


def vae():
    model = with_shared_noise(VAE)(build_encoder(base_filters=2), build_decoder(base_filters=2))
    model.compile(sgd(), jit_compile=False)
    return model


def restorer():
    model = build_restorer(filters=(3,), blocks=(1,))
    model.compile(sgd(), "mean_absolute_error", jit_compile=False)
    return model


random = np.random.default_rng(0)
digits = random.uniform(-1, 1, (32, 28, 28, 1)).astype("float32")
photos = [random.uniform(-1, 1, (32, 16, 16, 3)).astype("float32") for _ in range(2)]
CASES = {
    "dcgan": (digits,), "wgan_gp": (digits,), "vae": (digits,),
    "pix2pix": photos, "restorer": photos,
}
BUILD = {
    "dcgan": lambda: adversarial(
        DCGAN, build_plain_generator(), build_critic(base_filters=2), r1_weight=1.0, r1_every=1
    ),
    "wgan_gp": lambda: adversarial(
        WGANGP, build_plain_generator(), build_critic(base_filters=2), n_critic=1
    ),
    "vae": vae,
    "pix2pix": lambda: adversarial(
        Pix2Pix, build_restorer(filters=(3,), blocks=(1,)),
        build_patchgan(base_filters=2, downsamplings=1, normalize=False), l1_weight=10.0,
    ),
    "restorer": restorer,
}
for name, data in CASES.items():
    moved = []
    for strategy in (None, build_strategy("mirrored")):
        keras.utils.set_random_seed(1)
        with strategy.scope() if strategy else nullcontext():
            model = BUILD[name]()
        before = [np.asarray(v) for v in model.trainable_variables]
        model.fit(*data, batch_size=32, epochs=2, shuffle=False, verbose=0)
        moved.append([np.asarray(v) - b for v, b in zip(model.trainable_variables, before)])
    assert strategy.num_replicas_in_sync == 2
    for one, two in zip(*moved, strict=True):
        np.testing.assert_allclose(two, one, atol=2e-6 + 1e-3 * np.abs(one).max(), err_msg=name)
    assert max(np.abs(one).max() for one in moved[0]) > 1e-4, name
"""


@pytest.mark.slow
def test_two_replicas_move_the_weights_as_one_batch_does(run_python):
    done = run_python(SETUP + STEPS)
    assert done.returncode == 0, done.stderr


RUN = """
from gan_keras import get_recipe
from gan_keras.algorithms.dcgan import DCGAN
from gan_keras.training.run import train

drawn = []
draw = DCGAN.random_normal


def remember(self, shape, stream, counter=None):
    noise = draw(self, shape, stream, counter)
    if counter is None:
        tf.py_function(lambda n: drawn.append(n.numpy()), [noise], [])
    return noise


DCGAN.random_normal = remember
recipe = get_recipe("dcgan").replace(
    network={"latent_dim": 4, "base_filters": 2}, discriminator={"base_filters": 2},
    batch_size=8, steps_per_epoch=2, epochs=1,
)
model = train(recipe, sys.argv[1], strategy="mirrored", say=print)
assert len(drawn) == 2 * 2 * 2, len(drawn)  # steps, players, replicas
assert all(noise.shape == (4, 4) for noise in drawn)
assert len({noise.tobytes() for noise in drawn}) == len(drawn)  # replicas draw different noise
for variable in model.weights:
    first, second = (np.asarray(copy) for copy in variable.value.values)
    np.testing.assert_array_equal(first, second, err_msg=variable.path)  # batch norm's too
recipe = recipe.replace(epochs=2)
train(recipe, sys.argv[1], resume=True)
"""


@pytest.mark.slow
def test_a_run_is_shared_among_devices_and_resumes_so(run_python, tmp_path):
    done = run_python(SETUP + RUN, tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "XLA off (mirrored)" in done.stdout and "resuming" in done.stdout
    settings = json.loads((tmp_path / "run/settings.json").read_text())
    assert (settings["strategy"], settings["replicas"]) == ("mirrored", 2)


def test_one_device_is_no_strategy():
    assert build_strategy(None) is None
    with pytest.raises(UserError, match="choose mirrored or multi_worker"):
        build_strategy("miror")


def test_xla_and_a_strategy_exclude_each_other(monkeypatch):
    monkeypatch.setenv("GAN_KERAS_XLA", "1")
    assert choose_runtime().jit_compile
    with pytest.raises(UserError, match="does not go with XLA: GAN_KERAS_XLA=0"):
        choose_runtime(strategy="mirrored")
    monkeypatch.delenv("GAN_KERAS_XLA")
    assert not choose_runtime(strategy="mirrored").jit_compile
