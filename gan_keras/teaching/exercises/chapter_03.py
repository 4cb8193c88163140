"""Chapter 03's exercises: what each check looks at, and what it says."""

import keras
import numpy as np
from keras import layers, ops

from gan_keras.metrics.distribution import frechet_distance
from gan_keras.metrics.manifold import one_thread
from gan_keras.teaching.exercises import Exercise, NotYet


def first_step(answer, draw):
    """03.1: predict Adam's first step; the judge is Keras' own Adam."""
    for rate in 10.0 ** draw.uniform(-4, -1, 3):
        gradient = draw.uniform(1, 9, 4) * 10.0 ** draw.integers(-2, 3, 4)
        gradient = np.append(gradient * draw.choice([-1, 1], 4), 0.0)
        weight = keras.Variable(np.zeros(5))
        keras.optimizers.Adam(float(rate), 0.5).apply([ops.array(gradient, "float32")], [weight])
        moved = ops.convert_to_numpy(weight.value)
        said = np.array([float(np.squeeze(answer(g, float(rate)))) for g in gradient])
        if np.allclose(said, moved, rtol=1e-3, atol=1e-7):
            continue
        if np.allclose(said, -moved, rtol=1e-3):
            raise NotYet("right size, wrong direction: a step goes against the gradient")
        if np.allclose(said, -rate * gradient, rtol=1e-3):
            raise NotYet(
                "that is gradient descent, whose step grows with the gradient; Adam divides by "
                "the gradient's own size"
            )
        factor = said[:4] / moved[:4]
        if np.allclose(factor, 1, rtol=1e-2):
            raise NotYet("a gradient of exactly 0 moves nothing: ε is there for that")
        if np.allclose(factor, factor[0], rtol=1e-2):
            raise NotYet(
                f"{factor[0]:.3g} times Adam's step: m and v start at 0, and the bias correction "
                "divides by 1 − β₁ and 1 − β₂"
            )
        raise NotYet(
            f"for a gradient of {gradient[0]:.3g} and a rate of {rate:.3g} Adam moved the weight "
            f"by {moved[0]:.3g}, and you said {said[0]:.3g}"
        )
    return "whatever the gradient's size, the first step has the learning rate's"


def design(answer, draw):
    """03.2: transposed convolutions from one side to another, without a checkerboard."""
    factors = (6, 8, int(draw.choice([3, 9, 12, 18])))
    others = [
        (start, start * factor)
        for start, factor in zip(draw.integers(3, 9, 3).tolist(), factors, strict=True)
    ]
    for start, end in [(7, 28), *others]:
        stack = [(int(kernel), int(stride)) for kernel, stride in answer(start, end)]
        side = start
        for _, stride in stack:
            side *= stride
        listed = f"from {start} your layers {stack} reach {side}, not {end}"
        if side != end and stack and all(stride == 2 for _, stride in stack) and side == 2 * end:
            raise NotYet(f"{side}: count the doublings; {listed}")
        if side != end:
            raise NotYet(f"{listed}: with padding 'same' each layer multiplies the side by stride")
        for kernel, stride in stack:
            if kernel < stride:
                raise NotYet(f"kernel {kernel} < stride {stride} leaves pixels without any stamp")
            layer = layers.Conv2DTranspose(
                1, kernel, stride, "valid", use_bias=False, kernel_initializer="ones"
            )
            stamps = np.asarray(layer(np.ones((1, 16, 16, 1), np.float32)))[0, :, :, 0]
            inside = stamps[kernel:-kernel, kernel:-kernel]
            if np.ptp(inside):
                raise NotYet(
                    f"kernel {kernel} with stride {stride}: the overlap alternates between "
                    f"{inside.min():.0f} and {inside.max():.0f}, a checkerboard; when does a "
                    "ceiling equal a floor?"
                )
    return "the right side, and every pixel gets as many stamps as its neighbours"


def _toy_generator(latent_dim, draw):
    latents = keras.Input((latent_dim,))
    x = layers.BatchNormalization()(layers.Dense(9, use_bias=False)(latents))
    generator = keras.Model(latents, layers.Reshape((3, 3, 1))(x))
    dense = generator.layers[1]
    dense.kernel.assign(draw.normal(size=dense.kernel.shape))
    return generator


def batch_for_discriminator(answer, draw):
    """03.3: a batch for D without the three mistakes of the broken form."""
    for size in (6, int(draw.integers(7, 40)), 256):
        latent_dim = int(draw.integers(2, 8))
        generator = _toy_generator(latent_dim, draw)
        real = draw.normal(size=(size, 3, 3, 1)).astype(np.float32)
        images, labels = (ops.convert_to_numpy(x) for x in answer(real, generator, latent_dim))
        labels = np.ravel(labels)
        if len(images) != len(labels):
            raise NotYet(f"{len(images)} images and {len(labels)} labels: one label an image")
        if len(images) - size == 256 and size != 256:
            raise NotYet(
                f"{size} real images and 256 generated ones: the last batch of an epoch is "
                "smaller than the others; draw noise for as many images as there are"
            )
        if len(images) != 2 * size:
            raise NotYet(f"{size} real images came in, {len(images)} came out: {2 * size} wanted")
        first_real = np.allclose(images[:size], real, atol=1e-5)
        if not first_real and not np.allclose(images[size:], real, atol=1e-5):
            raise NotYet("the real images must come out as they came in, all of them")
        fake = images[size:] if first_real else images[:size]
        right = np.repeat([1, 0] if first_real else [0, 1], size)
        if np.array_equal(labels, 1 - right):
            raise NotYet("the labels are swapped: real is 1, fake is 0")
        if not np.array_equal(labels, right):
            raise NotYet("labels are 1 for each real image and 0 for each generated one")
        if np.allclose(fake, fake[:1]):
            raise NotYet("all generated images are the same: one latent an image, not one a batch")
        if not np.allclose(fake.mean(0), 0, atol=1e-3):
            raise NotYet(
                "the generator's batch normalisation used its running statistics: in a "
                "train_step say training=True"
            )
    return "as many fakes as reals, the right labels, and a generator in training mode"


def generator_of_colour(answer, draw):
    """03.4: a DCGAN generator for 32×32 colour images."""
    latent_dim, filters = int(draw.integers(20, 40)), int(draw.choice([4, 6, 8]))
    keras.utils.set_random_seed(int(draw.integers(1000)))
    network = answer(latent_dim, filters)
    if not isinstance(network, keras.Model):
        raise NotYet(f"a keras.Model is wanted, not {type(network).__name__}: did you return it?")
    if network.input_shape[1:] != (latent_dim,) or network.output_shape[1:] != (32, 32, 3):
        raise NotYet(
            f"latents ({latent_dim},) → images (32, 32, 3) are wanted, not "
            f"{network.input_shape[1:]} → {network.output_shape[1:]}: 4·2·2·2 = 32"
        )
    network(draw.normal(size=(64, latent_dim)), training=True)  # may create weights
    loud = keras.models.clone_model(network)
    loud.set_weights([30 * w for w in network.get_weights()])
    images = ops.convert_to_numpy(loud(draw.normal(size=(64, latent_dim)), training=True))
    if images.min() >= 0:
        raise NotYet("no pixel is below 0: images live in [-1, 1], so the output is a tanh")
    if np.abs(images).max() > 1.0001:
        raise NotYet(f"a pixel is {np.abs(images).max():.3g}: images live in [-1, 1], so tanh")
    ups = [x for x in network.layers if isinstance(x, layers.Conv2DTranspose)]
    stages = [tuple(x.input.shape[1:]) for x in ups[:1]]
    stages += [tuple(x.output.shape[1:]) for x in ups]
    wanted = [(4, 4, 4 * filters), (8, 8, 2 * filters), (16, 16, filters), (32, 32, 3)]
    if stages != wanted:
        raise NotYet(
            f"for base_filters={filters} three transposed convolutions should lead through "
            f"{wanted}; yours: {stages or 'none'}"
        )
    for layer in ups:
        kernel, stride = layer.kernel_size[0], layer.strides[0]
        if kernel % stride:
            raise NotYet(f"kernel {kernel} with stride {stride} leaves a checkerboard (3.3)")
    norms = [x for x in network.layers if isinstance(x, layers.BatchNormalization)]
    weighty = [x for x in network.layers if hasattr(x, "kernel")]
    if any(x.output.shape[-1] == 3 for x in norms):
        raise NotYet("batch normalisation on the output would force every batch to one contrast")
    if len(norms) < len(weighty) - 1:
        raise NotYet(
            f"{len(norms)} batch normalisations for {len(weighty)} layers with weights: after "
            "each but the last (DCGAN §3)"
        )
    before = keras.Model(network.inputs[0], [x.input for x in ups])
    for layer, h in zip(
        ups, before(draw.normal(size=(64, latent_dim)), training=True), strict=True
    ):
        if ops.convert_to_numpy(h).min() < 0:
            raise NotYet(f"{layer.name} gets negative numbers: after each normalisation a ReLU")
    for layer in weighty:
        spread = float(ops.std(layer.kernel))
        if not 0.015 < spread < 0.025:
            raise NotYet(
                f"the weights of {layer.name} have a standard deviation of {spread:.3f}: N(0, "
                "0.02) is asked for, in every layer"
            )
    idle = [x.name for x in weighty[:-1] if x.use_bias]
    if idle:
        raise NotYet(f"{idle[0]} has a bias that the next normalisation subtracts: use_bias=False")
    return "the five rules of DCGAN, on another size of image"


@one_thread
def unbiased_distance(answer, draw):
    """03.5: extrapolate a Fréchet distance to infinitely many samples."""
    dimension, count, repeats = 32, 2000, 4
    scale = draw.uniform(0.8, 1.2, dimension)
    shift = draw.uniform(0.6, 0.8) / np.sqrt(dimension)
    truth = float(dimension * shift**2)
    got, plain = [], []
    for _ in range(repeats):
        a, b = (draw.normal(size=(count, dimension)) * scale for _ in range(2))
        got.append(float(answer(a, b + shift)))
        plain.append(frechet_distance(a, b + shift))
    if got[-1] != float(answer(a, b + shift)):
        raise NotYet("two calls gave two answers: seed your random choices inside the function")
    estimate, biased, error = np.mean(got), np.mean(plain), np.std(got) / np.sqrt(repeats)
    bias = biased - truth
    if not np.isfinite(estimate):
        raise NotYet("your answer is not a finite number")
    if estimate > biased + bias:
        raise NotYet(
            f"{estimate:.4f} is above the plain distance {biased:.4f}, and the truth is below it: "
            "fit a line against 1/N and read it off at 1/N = 0"
        )
    if abs(estimate - biased) < 0.3 * bias:
        raise NotYet(
            f"{estimate:.4f} is still the biased {biased:.4f}: with N times as many samples the "
            "bias would be N times smaller, so extrapolate to 1/N = 0"
        )
    if abs(estimate - truth) > 0.4 * bias + 2 * error:
        raise NotYet(
            f"the truth is {truth:.4f} and you found {estimate:.4f}: the bias is straight in 1/N, "
            "not in N or 1/√N; average several random subsets at each N"
        )
    return "the bias is gone, without a single further sample"


EXERCISES = (
    Exercise("03.1", "predict", "Adam's first step", 5, 2, "03 §3.6", first_step),
    Exercise("03.2", "derive and code", "7 → 28 without a checkerboard", 15, 4, "03 §3.3", design),
    Exercise(
        "03.3", "find the bug", "a batch for D", 15, 4, "03 §3.4 and §7", batch_for_discriminator
    ),
    Exercise("03.4", "build", "a generator for 32×32 colour", 20, 5, "03 §5", generator_of_colour),
    Exercise(
        "03.5", "show", "a Fréchet distance without its bias", 30, 5, "03 §6.2", unbiased_distance
    ),
    Exercise(
        "03.6", "★", "does the digit still change without batch statistics?", 60, 0, "03 §6.4"
    ),
)
