import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import gan_keras
from gan_keras.algorithms.adversarial import logits_accuracy
from gan_keras.algorithms.augmentation import AUGMENTATIONS
from gan_keras.algorithms.dcgan import DCGAN
from gan_keras.algorithms.latents import draw_latents
from gan_keras.algorithms.pix2pix import Pix2Pix
from gan_keras.algorithms.randomness import DISCRIMINATOR, EVALUATION, GENERATOR
from gan_keras.algorithms.vae import VAE
from gan_keras.algorithms.wgan_gp import WGANGP
from gan_keras.losses.adversarial import LOSSES
from gan_keras.losses.reconstruction import l1
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
from gan_keras.networks.patchgan import build_patchgan
from gan_keras.networks.restorer import build_restorer
from gan_keras.training.checkpoint import restore_checkpoint, save_checkpoint

SHAPE, BATCH, LATENT_DIM, CLASSES = (16, 16, 1), 8, 6, 3


def build_dcgan(**settings):
    generator = build_generator(SHAPE, LATENT_DIM, base_filters=4)
    return DCGAN(generator, build_discriminator(SHAPE, base_filters=4), **settings)


def build_pix2pix(**settings):
    shape = (None, None, 1)
    generator = build_restorer(shape, filters=(4, 6), blocks=(1, 1))
    return Pix2Pix(generator, build_patchgan(shape, 4, downsamplings=1), **settings)


def build_wgan_gp(**settings):
    networks = build_generator(SHAPE, LATENT_DIM, base_filters=4), build_critic(SHAPE, 4)
    return WGANGP(*networks, n_critic=2, **settings)


def build_spectral(**settings):
    generator = build_generator(SHAPE, LATENT_DIM, base_filters=4)
    return DCGAN(generator, build_spectral_discriminator(SHAPE, base_filters=4), **settings)


def build_conditional(**settings):
    """Return a DCGAN of labels with all that may be added to its discriminator's task."""
    generator = build_conditional_generator(SHAPE, LATENT_DIM, 4, CLASSES)
    discriminator = build_projection_discriminator(SHAPE, 4, CLASSES)
    settings = {"r1_weight": 0.1, "r1_every": 2, "augmentation": AUGMENTATIONS} | settings
    return DCGAN(generator, discriminator, **settings)


def build_vae(**settings):
    encoder = build_encoder(SHAPE, LATENT_DIM, base_filters=4)
    return VAE(encoder, build_decoder(SHAPE, LATENT_DIM, base_filters=4), **settings)


BUILDS = {
    "dcgan": build_dcgan,
    "wgan_gp": build_wgan_gp,
    "spectral": build_spectral,
    "conditional": build_conditional,
    "pix2pix": build_pix2pix,
    "vae": build_vae,
}
PLAIN = ["dcgan", "pix2pix"]  # those without a penalty, a norm, or several updates
NEW = ["wgan_gp", "spectral", "conditional"]
GANS = [*PLAIN, *NEW]


def build(name, seed=1, **settings):
    keras.utils.set_random_seed(seed)
    return BUILDS[name](**settings)


def adams():
    return keras.optimizers.Adam(1e-3, beta_1=0.5), keras.optimizers.Adam(1e-3, beta_1=0.5)


def compile_as_it_is(model, name, *optimizers, **options):
    """Compile with the loss that belongs to the system."""
    loss = {"loss": "hinge"} if name == "spectral" else {}
    model.compile(*optimizers, **loss, **options)


def inputs_of(name):
    """Return what the generator takes, for three images."""
    if name == "pix2pix":
        return batch(name)[0]
    latents = draw_latents(3, LATENT_DIM)
    return [latents, np.array([0, 2, 1])] if name == "conditional" else latents


def batch(name, count=BATCH, seed=0):
    generator = np.random.default_rng(seed)
    target = generator.uniform(-1, 1, (count, *SHAPE)).astype(np.float32)
    degraded = target + generator.normal(0, 0.3, target.shape).astype(np.float32)
    if name == "conditional":
        return target, generator.integers(0, CLASSES, count)
    return (degraded, target) if name == "pix2pix" else (target,)


def tensors(data):
    return tuple(map(tf.constant, data))


def fit(model, data, epochs=1, **options):
    options = {"batch_size": BATCH, "shuffle": False, "verbose": 0} | options
    return model.fit(*data, epochs=epochs, **options).history


def copy(variables):
    return [np.array(v) for v in variables]


def assert_equal(a, b):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


def distance(a, b):
    return max(np.abs(np.subtract(x, y)).max() for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("name", GANS)
@pytest.mark.parametrize("still", ["generator", "discriminator"])
def test_each_phase_moves_its_own_player_only(name, still):
    model = build(name)
    rates = {"generator": 0.1, "discriminator": 0.1, still: 0.0}
    players = ("generator", "discriminator")
    compile_as_it_is(model, name, *(keras.optimizers.SGD(rates[p]) for p in players))
    before = {p: copy(getattr(model, p).trainable_variables) for p in rates}
    model.train_step(tensors(batch(name)))
    after = {p: copy(getattr(model, p).trainable_variables) for p in rates}
    moved = "discriminator" if still == "generator" else "generator"
    assert_equal(before[still], after[still])
    assert distance(before[moved], after[moved]) > 1e-5


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", PLAIN)
def test_each_player_follows_the_gradient_of_its_loss(name, loss):
    """Against gradients from the definitions; a rate of 1 makes the step the gradient."""
    model = build(name, l1_weight=7.0) if name == "pix2pix" else build(name)
    data = tensors(batch(name))
    discriminate, generate = LOSSES[loss]
    generator, discriminator = model.generator, model.discriminator
    player_inputs = {
        stream: model.random_normal((BATCH, LATENT_DIM), stream) if name == "dcgan" else data[0]
        for stream in (DISCRIMINATOR, GENERATOR)
    }

    def judge(images):
        inputs = images if name == "dcgan" else [data[0], images]
        return discriminator(inputs, training=True)

    def discriminator_loss():
        fake_images = generator(player_inputs[DISCRIMINATOR], training=True)
        value = discriminate(judge(data[-1]), judge(fake_images))
        return value if name == "dcgan" else 0.5 * value

    def generator_loss():
        fake_images = generator(player_inputs[GENERATOR], training=True)
        value = generate(judge(fake_images))
        return value if name == "dcgan" else value + 7.0 * l1(data[1], fake_images)

    def gradients(function, variables):
        with tf.GradientTape() as tape:
            value = function()
        return value, copy(tape.gradient(value, [v.value for v in variables]))

    d_value, d_gradients = gradients(discriminator_loss, discriminator.trainable_variables)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(1.0), loss=loss)
    d_before = copy(discriminator.trainable_variables)
    step = int(model.step)
    logs = model.train_step(data)
    for x, y, gradient in zip(
        d_before, copy(discriminator.trainable_variables), d_gradients, strict=True
    ):
        np.testing.assert_allclose(x - y, gradient, rtol=1e-3, atol=1e-6)
    assert float(logs["discriminator_loss"]) == pytest.approx(float(d_value), rel=1e-5)

    model.step.assign(step)  # the same draws again, against the discriminator as it now is
    g_value, g_gradients = gradients(generator_loss, generator.trainable_variables)
    model.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(0.0), loss=loss)
    model.reset_metrics()
    g_before = copy(generator.trainable_variables)
    logs = model.train_step(data)
    for x, y, gradient in zip(
        g_before, copy(generator.trainable_variables), g_gradients, strict=True
    ):
        np.testing.assert_allclose(x - y, gradient, rtol=1e-3, atol=1e-6)
    assert float(logs["generator_loss"]) == pytest.approx(float(g_value), rel=1e-5)


def test_the_generator_meets_the_discriminator_as_just_updated():
    """pix2pix makes one forward pass for both players; G's gradient is still against the new D."""
    model = build("pix2pix")
    data = tensors(batch("pix2pix"))
    with tf.GradientTape() as tape:
        restored = model.generator(data[0], training=True)
        real, fake = (model.discriminator([data[0], x], training=True) for x in (data[1], restored))
        value = 0.5 * LOSSES["non_saturating"][0](real, fake)
    variables = model.discriminator.trainable_variables
    for variable, gradient in zip(
        variables, tape.gradient(value, [v.value for v in variables]), strict=True
    ):
        variable.assign_sub(0.5 * gradient)
    with tf.GradientTape() as tape:
        restored = model.generator(data[0], training=True)
        logits = model.discriminator([data[0], restored], training=True)
        value = LOSSES["non_saturating"][1](logits) + 100 * l1(data[1], restored)
    expected = tape.gradient(value, [v.value for v in model.generator.trainable_variables])

    other = build("pix2pix")
    other.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(0.5))
    before = copy(other.generator.trainable_variables)
    other.train_step(data)
    assert distance(copy(other.discriminator.variables), copy(model.discriminator.variables)) < 1e-6
    after = copy(other.generator.trainable_variables)
    for x, y, gradient in zip(before, after, expected, strict=True):
        np.testing.assert_allclose(x - y, gradient, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("average_decay", [0.999, 0.15, 0.0])
@pytest.mark.parametrize("name", GANS)
def test_averaged_generator_and_step_counter(name, average_decay):
    model = build(name, average_decay=average_decay)
    model.compile(*adams())
    initial = copy(model.generator.weights)
    assert_equal(initial, copy(model.averaged_generator.weights))
    model.train_step(tensors(batch(name)))
    assert int(model.step) == 1
    decay = min(average_decay, 1 / 10)
    first = [
        decay * a + (1 - decay) * w
        for a, w in zip(initial, copy(model.generator.weights), strict=True)
    ]
    assert distance(first, copy(model.averaged_generator.weights)) < 1e-6
    model.train_step(tensors(batch(name, seed=1)))
    assert int(model.step) == 2
    decay = min(average_decay, 2 / 11)
    second = [
        decay * a + (1 - decay) * w
        for a, w in zip(first, copy(model.generator.weights), strict=True)
    ]
    assert distance(second, copy(model.averaged_generator.weights)) < 1e-6
    if average_decay:
        assert not model.averaged_generator.trainable_variables
    else:  # no copy, which would cost memory and time
        assert model.averaged_generator is model.generator


@pytest.mark.parametrize("name", GANS)
def test_the_model_applies_the_averaged_generator(name):
    model = build(name)
    model.compile(*adams())
    model.train_step(tensors(batch(name)))
    inputs = inputs_of(name)
    np.testing.assert_array_equal(model(inputs), model.averaged_generator(inputs, training=False))
    assert distance([model(inputs)], [model.generator(inputs, training=False)]) > 0


def batch_norm_network(inputs, outputs):
    tensor = layers.Concatenate()(inputs) if isinstance(inputs, list) else inputs
    tensor = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(tensor))
    return keras.Model(inputs, layers.Conv2D(outputs, 3, padding="same")(tensor))


@pytest.mark.parametrize("name", PLAIN)
def test_layers_are_in_training_mode_when_training_and_only_then(name):
    if name == "dcgan":
        model = build_dcgan()
    else:
        image = keras.Input((None, None, 1))
        pair = [keras.Input((None, None, 1)), keras.Input((None, None, 1))]
        model = Pix2Pix(batch_norm_network(image, 1), batch_norm_network(pair, 1))
    model.compile(*adams())
    players = (model.generator, model.discriminator)
    statistics = [copy(player.non_trainable_variables) for player in players]
    model.train_step(tensors(batch(name)))
    moved = [copy(player.non_trainable_variables) for player in players]
    for before, after in zip(statistics, moved, strict=True):
        assert len(before) >= 2
        assert distance(before, after) > 1e-4
    averages = copy(model.averaged_generator.variables)
    model.test_step(tensors(batch(name)))
    for player, before in zip(players, moved, strict=True):
        assert_equal(before, copy(player.non_trainable_variables))
    assert_equal(averages, copy(model.averaged_generator.variables))


MODES = {
    "eager": {"run_eagerly": True, "jit_compile": False},
    "graph": {"jit_compile": False},
    "xla": {"jit_compile": True},
}


def one_step(name, mode):
    model = build(name, seed=3)
    rates = [1e-3] if name == "vae" else [0.05, 0.05]  # the VAE's loss is a sum over pixels
    optimizers = [keras.optimizers.SGD(rate) for rate in rates]
    compile_as_it_is(model, name, *optimizers, **MODES[mode])
    before = copy(model.trainable_variables)
    history = fit(model, batch(name))
    assert distance(before, copy(model.trainable_variables)) > 1e-4
    return copy(model.variables), {key: values[0] for key, values in history.items()}


@pytest.mark.parametrize("name", BUILDS)
def test_eager_graph_and_xla_agree_in_float32(name):
    eager, logs = one_step(name, "eager")
    for mode in ("graph", "xla"):
        weights, other = one_step(name, mode)
        assert distance(eager, weights) < 1e-6, mode
        assert other == pytest.approx(logs, rel=1e-4), mode


@pytest.mark.parametrize("name", [*PLAIN, "spectral", "vae"])
def test_eager_graph_and_xla_agree_in_bfloat16(name):
    """Not WGAN-GP: its losses are differences about 0, of which 1 % means nothing."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    logs = [one_step(name, mode)[1] for mode in MODES]
    losses = [key for key in logs[0] if key.endswith("loss") or key in ("elbo", "l1")]
    assert losses
    for other in logs[1:]:
        for key in losses:
            assert other[key] == pytest.approx(logs[0][key], rel=0.01), key


@pytest.mark.parametrize("name", GANS)
def test_both_players_have_their_loss_scaled_in_float16(name):
    keras.config.set_dtype_policy("mixed_float16")
    model = build(name)
    compile_as_it_is(model, name, *adams())
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    before = [copy(p.trainable_variables) for p in (model.generator, model.discriminator)]
    logs = fit(model, batch(name), epochs=12)  # the first steps may be skipped, to find the scale
    assert np.isfinite([values[-1] for values in logs.values()]).all()
    for player, weights in zip((model.generator, model.discriminator), before, strict=True):
        assert distance(weights, copy(player.trainable_variables)) > 1e-4
        assert all(np.isfinite(w).all() for w in copy(player.variables))


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_other_precisions_need_no_loss_scaling(policy):
    keras.config.set_dtype_policy(policy)
    model = build("dcgan")
    model.compile(*adams())
    assert type(model.generator_optimizer) is type(model.discriminator_optimizer)
    assert isinstance(model.generator_optimizer, keras.optimizers.Adam)


@pytest.mark.parametrize(
    ("name", "policy"),
    [*((name, "float32") for name in GANS), ("dcgan", "mixed_float16")],
)
def test_a_saved_model_comes_back_whole_and_goes_on(name, policy, tmp_path):
    keras.config.set_dtype_policy(policy)
    settings = {"l1_weight": 3.0} if name == "pix2pix" else {}
    model = build(name, average_decay=0.5, **settings)
    model.compile(*adams(), loss="least_squares")
    fit(model, batch(name, 2 * BATCH))
    model.save(tmp_path / "model.keras")
    keras.config.set_dtype_policy("float32")
    loaded = gan_keras.load(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    assert (loaded.seed, loaded.average_decay) == (model.seed, 0.5)
    assert loaded.adversarial_loss == "least_squares"
    assert all(getattr(loaded, key) == value for key, value in settings.items())

    def state(one):
        optimizers = [one.generator_optimizer, one.discriminator_optimizer]
        return copy([*one.variables, *(v for o in optimizers for v in o.variables)])

    assert int(loaded.step) == 2
    assert_equal(state(model), state(loaded))
    inputs = inputs_of(name)
    for network in ("generator", "averaged_generator"):
        outputs = [getattr(one, network)(inputs, training=False) for one in (model, loaded)]
        np.testing.assert_array_equal(*outputs)
    before = state(model)
    for one in (model, loaded):
        fit(one, batch(name, seed=1))
    assert_equal(state(model), state(loaded))
    assert distance(before, state(model)) > 1e-4


@pytest.mark.parametrize("name", NEW)
def test_a_checkpoint_goes_on_bit_for_bit(name, tmp_path):
    def state(model):
        optimizers = (model.generator_optimizer, model.discriminator_optimizer)
        return copy([*model.variables, *(v for o in optimizers for v in o.variables)])

    whole, resumed = build(name), build(name, seed=2)
    for model in (whole, resumed):
        compile_as_it_is(model, name, *adams(), jit_compile=False)
    fit(whole, batch(name, 2 * BATCH))
    save_checkpoint(tmp_path / "checkpoint.npz", whole, 1, 0.0)
    restore_checkpoint(tmp_path / "checkpoint.npz", resumed)
    start = state(resumed)
    for model in (whole, resumed):
        fit(model, batch(name, 2 * BATCH, seed=1))
    assert_equal(state(whole), state(resumed))
    assert sum((a != b).any() for a, b in zip(start, state(whole), strict=True)) > len(start) / 2


@pytest.mark.parametrize("name", GANS)
def test_evaluation(name):
    model = build(name)
    model.compile(*adams())
    data = batch(name, 3 * BATCH)
    results = [
        model.evaluate(*data, batch_size=BATCH, return_dict=True, verbose=0) for _ in range(2)
    ]
    keys = {"discriminator_loss", "generator_loss"}
    own = {"pix2pix": {"l1", "psnr", "ssim"}, "wgan_gp": set()}
    keys |= own.get(name, {"discriminator_accuracy"})
    assert set(results[0]) == keys
    assert results[0] == results[1]
    assert np.isfinite(list(results[0].values())).all()
    logs = fit(model, data)
    extra = {"penalty"} if name == "wgan_gp" else set()
    assert set(logs) == keys - {"ssim"} | extra  # which costs too much for every training step
    assert int(model.step) == 3


def test_evaluation_of_pix2pix_is_that_of_the_averaged_generator():
    model = build("pix2pix")  # it starts as the identity
    model.compile(*adams())
    degraded, target = batch("pix2pix")
    result = model.evaluate(degraded, target, return_dict=True, verbose=0)
    error = np.square(target - degraded).mean((1, 2, 3))
    assert result["psnr"] == pytest.approx(np.mean(10 * np.log10(4 / error)), rel=1e-4)
    assert result["l1"] == pytest.approx(np.abs(target - degraded).mean(), rel=1e-4)
    assert result["generator_loss"] > 100 * result["l1"]


def test_evaluation_of_dcgan_draws_other_noise_for_each_batch(monkeypatch):
    model = build("dcgan")
    model.compile(*adams(), run_eagerly=True)
    drawn = []
    draw = model.random_normal
    monkeypatch.setattr(
        model, "random_normal", lambda *a, **k: drawn.append(draw(*a, **k)) or drawn[-1]
    )
    model.evaluate(*batch("dcgan", 2 * BATCH), batch_size=BATCH, verbose=0)
    assert len(drawn) == 2
    assert distance(drawn[:1], drawn[1:]) > 0.1


def test_accuracy_counts_both_sides_alike():
    real, fake = tf.constant([[1.0], [2.0], [-1.0], [3.0]]), tf.constant([[-1.0], [2.0]])
    assert float(logits_accuracy(real, fake)) == pytest.approx(0.5 * (3 / 4 + 1 / 2))


@pytest.mark.parametrize("name", GANS)
def test_unknown_loss(name):
    with pytest.raises(ValueError, match="non_saturating, saturating, least_squares, hinge"):
        build(name).compile(*adams(), loss="cross_entropy")


def test_optimizers_may_be_names():
    model = build("dcgan")
    model.compile("sgd", "adam")
    assert isinstance(model.generator_optimizer, keras.optimizers.SGD)
    assert isinstance(model.discriminator_optimizer, keras.optimizers.Adam)


def test_noise_is_keyed_by_seed_step_stream_and_kind():
    def draw(model, stream=GENERATOR, step=0, kind="random_normal"):
        model.step.assign(step)
        return getattr(model, kind)((200, LATENT_DIM), stream).numpy()

    model, other = build("dcgan", seed=1), build("dcgan", seed=2)
    first = draw(model)
    np.testing.assert_array_equal(first, draw(model))
    np.testing.assert_array_equal(first, draw(other))  # the seed is the model's, not the weights'
    variants = [
        draw(model, step=1),
        draw(model, DISCRIMINATOR),
        draw(model, EVALUATION),
        draw(build_dcgan(seed=1)),
        draw(model, kind="random_uniform"),
    ]
    for index, variant in enumerate(variants):
        assert abs(np.corrcoef(first.ravel(), variant.ravel())[0, 1]) < 0.1, index
    np.testing.assert_array_equal(
        model.random_normal((4,), GENERATOR, counter=7), [*draw_at(model, 7)]
    )
    assert abs(first.mean()) < 0.1 and abs(first.std() - 1) < 0.1
    uniform = variants[-1]
    assert uniform.min() >= 0 and uniform.max() < 1 and abs(uniform.mean() - 0.5) < 0.05


def draw_at(model, step):
    model.step.assign(step)
    return model.random_normal((4,), GENERATOR).numpy()


def test_generate_is_a_pure_function_of_its_seed():
    model = build("dcgan")
    images = model.generate(5, seed=3)
    assert images.shape == (5, *SHAPE) and images.dtype == np.float32
    assert np.abs(images).max() <= 1
    np.testing.assert_array_equal(images, model.generate(5, seed=3))
    np.testing.assert_allclose(images[:2], model.generate(2, seed=3), atol=1e-6)
    assert distance([images], [model.generate(5, seed=4)]) > 0


@pytest.mark.parametrize("name", BUILDS)
def test_nothing_is_traced_again_after_the_first_epoch(name, monkeypatch):
    model = build(name)
    calls = {"train_step": 0, "test_step": 0}
    for method in calls:
        step = getattr(type(model), method)

        def counted(self, data, step=step, method=method):
            calls[method] += 1
            return step(self, data)

        monkeypatch.setattr(type(model), method, counted)
    model.compile(*adams()[: 1 if name == "vae" else 2])
    data, after = batch(name, 3 * BATCH), []
    record = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: after.append(dict(calls)))
    fit(model, data, 3, callbacks=[record], validation_data=data)
    assert len(after) == 3 and after[0]["train_step"] >= 1 and after[0]["test_step"] >= 1
    assert after[0] == after[2]


MIRRORED = """
import numpy as np, tensorflow as tf, keras
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from gan_keras.algorithms.dcgan import DCGAN
from gan_keras.algorithms.randomness import GENERATOR
from gan_keras.networks.digits import build_discriminator, build_generator
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    model = DCGAN(build_generator((8, 8, 1), 4, 2), build_discriminator((8, 8, 1), 2))
    model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3), jit_compile=False)
draw = tf.function(lambda: model.random_normal((50, 4), GENERATOR))
first, second = (x.numpy() for x in strategy.experimental_local_results(strategy.run(draw)))
assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.3, "replicas draw alike"
alone = model.random_normal((50, 4), GENERATOR).numpy()
np.testing.assert_array_equal(first, alone)
before = [np.array(v) for v in model.generator.trainable_variables]
history = model.fit(np.zeros((8, 8, 8, 1), "float32"), batch_size=4, verbose=0).history
assert np.isfinite([v[0] for v in history.values()]).all()
assert max(np.abs(np.array(v) - b).max() for v, b in
           zip(model.generator.trainable_variables, before)) > 1e-5
print("step", strategy.experimental_local_results(model.step.value)[0].numpy())
"""


def test_replicas_draw_different_noise(run_python):
    result = run_python(MIRRORED)
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.split()[-2:] == ["step", "2"]
