r"""The training doctor: a callback that says what is wrong, how it knows, and what to change.

Every so many steps it holds generated images against real ones. Nothing of the model is changed.

========  ==========================================================================
distance  the energy distance 2·E‖x − g‖ − E‖x − x'‖ − E‖g − g'‖ between real images x and
          generated images g, as a share of E‖x − x'‖ (Székely & Rizzo 2013): 0 if they are alike
kinds     an image is of the kind of the nearest of 64 real images; e^H, H the entropy of the
          kinds, is how many there are; of generated images as a share of real ones
========  ==========================================================================
"""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from gan_keras.training.callbacks import steps_done

_ANCHORS = 64
_CHECKUPS = 3  # that must agree
# Measured every 100 steps on digits and photographic patches: small DCGANs, up to six seeds.
_ALIKE = 0.5  # kinds: collapsed 0.02-0.47; trained for 500 steps 0.54-1.3, the recipe 0.86-1.1
_NEAR = 0.05  # distance: ill 0.4-2 (once 0.09); healthy 0.004-0.08 after 500 steps, kinds far off
_PUNISHING = 0.2  # D's loss: collapsed 0.22-4; a slow G's images are alike too, at 0.01-0.08
_WINNING = 0.003  # D's loss: too strong 0.0009 or less; a slow but healthy start 0.008 or more
_GAP = 0.1  # of distances: ill 0.17 or more; healthy 0.08 or less after 300 steps


@dataclass(frozen=True)
class Finding:
    """What the doctor found.

    Attributes:
        illness: "wrong image range", "batch norm gap", "discriminator too strong" or "collapse".
        epoch: Counted from 1; 0 is before training.
        step: Steps taken until then.
        evidence: Name → measured number.
        sentence: What is wrong, how the doctor knows, what to change, and the chapter.
    """

    illness: str
    epoch: int
    step: int
    evidence: dict
    sentence: str


@dataclass(frozen=True)
class Checkup:
    """What was measured after so many steps: see the module's table.

    Attributes:
        step: Steps taken until then.
        kinds: Of the generator's images in training mode, as a share.
        distance: Of the same images.
        inference_distance: Of the images that it makes of the same input in inference mode.
        discriminator_loss: The epoch's mean so far, as a share of what logits of 0 would cost;
            infinite where that says nothing, as for a critic.
    """

    step: int
    kinds: float
    distance: float
    inference_distance: float
    discriminator_loss: float


class TrainingDoctor(keras.callbacks.Callback):
    """Names four illnesses of adversarial training, each once; silent on a healthy run.

    The range is examined before training, the rest at checkups, of which three in a row must
    agree: what heals by itself is no illness. What would explain all else ends the examination.
    Of a model that is not adversarial, only the range of its images is examined.

    Args:
        batches: What `fit` gets: an array of images (N, h, w, c), a tuple of arrays, a
            `PyDataset` or a `tf.data.Dataset`. A few hundred examples are read at once, and none
            later; the last image of an example is the real one.
        say: Prints a line for people.
        every: Steps from one checkup to the next; the thresholds were measured at 100 and 200.

    Attributes:
        findings: A list of `Finding`.
        checkups: A list of `Checkup`.

    Raises:
        TypeError: `batches` can be read only once, and `fit` has to.

    Example:
        >>> model.fit(images, batch_size=64, epochs=20, callbacks=[TrainingDoctor(images)])
    """

    def __init__(self, batches, say=print, every=200):
        super().__init__()
        self._say, self._every = say, every
        self._examples, self._batch_size = _look_at(batches, 256)
        images = [part for part in self._examples if part.ndim == 4]
        self._real = images[-1] if images else np.empty((0, 1))
        self.findings, self.checkups = [], []

    def on_train_begin(self, logs=None):
        """Examine the range of the real images."""
        adversarial = hasattr(self.model, "averaged_generator")  # TensorFlow may not be there
        self._examining = adversarial and len(self._real) >= 2 * _ANCHORS
        self._epoch = self._step = self._next = 0
        if len(self._real):
            self._examine_range()
        if self._examining:
            distances = _distances(self._real, self._real)
            self._spread = _mean_of_pairs(distances)  # E‖x − x'‖
            self._to_anchors = distances[_ANCHORS:, :_ANCHORS]

    def on_epoch_begin(self, epoch, logs=None):
        """Remember where we are."""
        self._epoch = epoch + 1
        self._before = max(self._step, epoch * (self.params.get("steps") or 0))
        self._next = self._next or self._before + self._every

    def on_train_batch_end(self, batch, logs=None):
        """Examine both players when it is time."""
        self._step = self._before + steps_done(batch, self.params.get("steps"))
        if self._examining and self._step >= self._next:
            self._next = self._step + self._every
            self._check_up(logs)

    def _report(self, illness, sentence, **evidence):
        when = f"epoch {self._epoch}, step {self._step}" if self._epoch else "before training"
        sentence = f"{illness} ({when}): {sentence}"
        self.findings.append(Finding(illness, self._epoch, self._step, evidence, sentence))
        self._say(sentence)

    def _examine_range(self):
        low, high = float(self._real.min()), float(self._real.max())
        floor = -1.0  # as all images of this package; a generator of noise can be asked
        if self._examining and len(self.model.generator.inputs[0].shape) == 2:
            floor = float(self._generate(training=False).min())
        levels = (self._real + 1) * 127.5
        if high - low < 0.1:  # 13 grey levels among hundreds of images; scaled twice leaves 2
            advice = "they look scaled twice: divide by 127.5 and subtract 1 only once"
        elif max(-low, high) > 1.01:
            advice = "convert 8-bit images by gan_keras.data.ranges.from_uint8, once"
        # Bright photographs may have no dark pixel, but are 8-bit levels; 0 to 1 is between them.
        elif low >= 0 > floor and np.abs(levels - np.round(levels)).max() > 0.01:
            advice = "they look like 0 to 1: convert them by gan_keras.data.ranges.from_unit"
        else:
            return
        self._examining = False
        self._report(
            "wrong image range",
            f"{len(self._real)} real images lie between {low:.4g} and {high:.4g}, where -1 to 1 "
            f"is wanted; {advice} (chapter 03).",
            lowest=low,
            highest=high,
        )

    def _generate(self, training):
        """Return images of the generator as it is; neither weights nor running means move."""
        generator, count = self.model.generator, min(len(self._real), 32 * self._batch_size)
        shape, *others = [wanted.shape for wanted in generator.inputs]
        if len(shape) == 4:
            inputs = [self._examples[0][: min(count, 2 * _ANCHORS)]]  # photographs are dear
        else:
            latents = np.random.default_rng(0).standard_normal((count, shape[-1]), np.float32)
            labels = [part[:count] for part in self._examples if part.ndim < 4]
            inputs = [latents, *labels[: len(others)]]
        weights = generator.trainable_variables, generator.non_trainable_variables
        state = [[variable.value for variable in variables] for variables in weights]
        size = self._batch_size if training else count
        images = []
        for start in range(0, len(inputs[0]), size):
            batch = [part[start : start + size] for part in inputs]
            batch = batch if others else batch[0]
            made, _ = generator.stateless_call(*state, batch, training=training)
            images.append(ops.convert_to_numpy(made).astype(np.float32))
        return np.concatenate(images)

    def _distance(self, images):
        across = 2 * _distances(images, self._real).mean()
        return float((across - _mean_of_pairs(_distances(images, images))) / self._spread - 1)

    def _check_up(self, logs):
        kind, layers = keras.layers.BatchNormalization, self.model.generator.layers
        norms = [layer for layer in layers if isinstance(layer, kind) and layer.trainable]
        images = self._generate(training=True)
        distance = inference_distance = self._distance(images)
        if norms:
            inference_distance = self._distance(self._generate(training=False))
        kinds = _count_kinds(_distances(images, self._real[:_ANCHORS]))
        kinds /= _count_kinds(self._to_anchors[: len(images)])
        cost = float(self.model._discriminator_objective(np.zeros((1, 1)), np.zeros((1, 1))))
        loss = float(logs["discriminator_loss"]) / cost if cost > 0 else np.inf
        self.checkups.append(Checkup(self._step, kinds, distance, inference_distance, loss))
        if norms and all(map(_is_inert, norms)):
            self._examining = False  # signals fade through it, and D wins: it explains the rest
            self._report(
                "batch norm gap",
                f"after {self._step} steps the running means and variances of the generator's "
                f"{len(norms)} batch normalisations are still exactly 0 and 1: they do nothing; "
                "call the generator with training=True in train_step (chapter 03).",
                steps=self._step,
            )
        elif len(self.checkups) >= _CHECKUPS:
            self._diagnose(self.checkups[-_CHECKUPS:], norms)

    def _diagnose(self, latest, norms):
        said = {finding.illness for finding in self.findings}
        first, last = latest[0], latest[-1]
        losses = [checkup.discriminator_loss for checkup in latest]
        gaps = (c.inference_distance > max(2 * c.distance, c.distance + _GAP) for c in latest)
        if "batch norm gap" not in said and all(gaps):
            momentum = max(layer.momentum for layer in norms)
            memory = 1 / max(1 - momentum, 1e-9)
            self._report(
                "batch norm gap",
                "with running statistics the generator's images are at a distance of "
                f"{last.inference_distance:.2f} from real ones, with each batch's own at "
                f"{last.distance:.2f}; lower its batch normalisations' momentum ({momentum:g} is "
                f"a memory of {memory:.0f} steps, and {last.step} were taken) or its learning rate "
                "(chapter 03).",
                inference_distance=last.inference_distance,
                distance=last.distance,
            )
        if said & {"discriminator too strong", "collapse"} or last.distance < _NEAR:
            return  # one brings the other: the first is the cause
        optimizers = self.model.generator_optimizer, self.model.discriminator_optimizer
        g_rate, d_rate = (f"{float(optimizer.learning_rate):.1g}" for optimizer in optimizers)
        if max(losses) < _WINNING and last.distance > 0.9 * first.distance:
            saturating = self.model.adversarial_loss == "saturating"
            self._report(
                "discriminator too strong",
                f"for three checkups its loss was at most {max(losses):.1g} of what guessing "
                "costs, while generated images came no nearer to real ones (at a distance of "
                f"{first.distance:.2f}, then {last.distance:.2f}); "
                f"{'take the non-saturating loss, ' * saturating}lower the discriminator's "
                f"learning rate ({d_rate}; the generator's is {g_rate}) or smooth its labels "
                "(chapter 04).",
                discriminator_loss=max(losses),
                distance=last.distance,
            )
        alike = max(checkup.kinds for checkup in latest) < _ALIKE
        if alike and min(losses) > _PUNISHING and last.distance > 0.98 * first.distance:
            self._report(
                "collapse",
                "for three checkups generated images were of less than half of the kinds that as "
                f"many real ones show, now of {last.kinds:.0%}; lower the generator's learning "
                f"rate ({g_rate}), see that the discriminator keeps learning (its rate is "
                f"{d_rate}), or take WGAN-GP (chapter 04).",
                kinds=last.kinds,
                distance=last.distance,
            )


def _look_at(batches, count):
    """Return up to `count` examples as a list of arrays, in random order, and a batch's size."""
    if isinstance(batches, tuple | list) or hasattr(batches, "__array__"):
        parts, size = [np.asarray(part) for part in keras.tree.flatten(batches)], 64
        rows = np.linspace(0, len(parts[0]) - 1, min(count, len(parts[0]))).astype(int)
        parts = [part[rows] for part in parts]
    elif hasattr(batches, "__next__"):
        raise TypeError("the doctor would use up this generator: give it a data set or arrays")
    else:
        if isinstance(batches, keras.utils.PyDataset):
            wanted = -(-count // len(keras.tree.flatten(batches[0])[0]))
            chosen = np.linspace(0, len(batches) - 1, min(wanted, len(batches))).astype(int)
            batches = map(batches.__getitem__, chosen.tolist())
        read, seen = [], 0
        for batch in batches:
            read.append([np.asarray(part) for part in keras.tree.flatten(batch)])
            seen += len(read[-1][0])
            if seen >= count:
                break
        parts, size = [np.concatenate(part) for part in zip(*read, strict=True)], len(read[0][0])
    order = np.random.default_rng(0).permutation(len(parts[0]))[:count]
    return [part[order] for part in parts], min(size, len(order))


def _distances(a, b):
    """Return the Euclidean distances (N, M) between images."""
    a, b = (np.reshape(x, (len(x), -1)).astype(np.float64) for x in (a, b))
    squares = np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0))


def _mean_of_pairs(distances):
    return distances.sum() / (len(distances) * (len(distances) - 1))


def _count_kinds(to_anchors):
    """Return e^H of how images (N, anchors) are shared out among their nearest anchors."""
    shares = np.bincount(np.argmin(to_anchors, axis=1)) / len(to_anchors)
    shares = shares[shares > 0]
    return float(np.exp(-np.sum(shares * np.log(shares))))


def _is_inert(norm):
    mean, variance = map(ops.convert_to_numpy, (norm.moving_mean, norm.moving_variance))
    return bool(np.all(mean == 0) and np.all(variance == 1))
