r"""pix2pix: conditional adversarial training of a restorer (Isola et al. 2017).

======  =============================  =====================================
y       `degraded`                     (B, h, w, c) in [-1, 1]; the condition
x       `target`                       the sharp image that belongs to y
G(y)    `restored`                     like x
D(y,·)  `real_logits`, `fake_logits`   (B, h', w', 1), one logit a patch
======  =============================  =====================================

The paper calls the input x and the output y; here x is sharp and y degraded, as everywhere else.
"""

import keras
import tensorflow as tf

from gan_keras.algorithms.adversarial import AdversarialModel
from gan_keras.algorithms.randomness import DISCRIMINATOR, scale_loss
from gan_keras.data.ranges import DATA_RANGE, to_unit
from gan_keras.layers.spectral_norm import power_iteration
from gan_keras.losses.reconstruction import l1
from gan_keras.metrics.image_quality import psnr, ssim


@keras.saving.register_keras_serializable(package="gan_keras")
class Pix2Pix(AdversarialModel):
    r"""E log D(y, x) + E log(1 − D(y, G(y))) + λ·E‖x − G(y)‖₁ (Eqs. 1, 3 and 4).

    Args:
        generator: degraded → restored; new, or one that was trained by L1 alone.
        discriminator: [degraded, image] → logits, a PatchGAN.
        l1_weight: λ; 100 in the paper (§4.2).
        **kwargs: `seed`, `average_decay`, `augmentation` of `AdversarialModel`.
    """

    def __init__(self, generator, discriminator, l1_weight=100.0, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.l1_weight = l1_weight
        self.l1 = keras.metrics.Mean(name="l1")
        self.psnr = keras.metrics.Mean(name="psnr")
        self.ssim = keras.metrics.Mean(name="ssim")

    @property
    def metrics(self):
        """Both losses, the L1 part of the generator's, and PSNR in dB; in `evaluate` SSIM too."""
        return [*super().metrics, self.l1, self.psnr, self.ssim]

    def get_config(self):
        """Return both networks and the settings, for `from_config`."""
        return {**super().get_config(), "l1_weight": self.l1_weight}

    def train_step(self, data):
        """Alternate one step on D, then one step on G (Isola et al. 2017, §3.3)."""
        degraded, target, _ = keras.utils.unpack_x_y_sample_weight(data)  # y, x
        augment = self._draw_augmentation(target, DISCRIMINATOR)
        seen = augment(degraded)  # with an image: what D sees

        with tf.GradientTape() as generator_tape:
            restored = self.generator(degraded, training=True)  # G(y), one pass for both players

            # 1. Update the discriminator; the generator's tape does not look.
            power_iteration(self.discriminator)
            with generator_tape.stop_recording(), tf.GradientTape() as tape:
                real_logits = self.discriminator([seen, augment(target)], training=True)  # D(y, x)
                fake_logits = self.discriminator(
                    [seen, augment(restored)], training=True
                )  # D(y, G(y))
                # §3.3 halves D's objective, to slow it relative to G
                discriminator_loss = 0.5 * self._discriminator_objective(real_logits, fake_logits)
                scaled_loss = scale_loss(self.discriminator_optimizer, discriminator_loss)
            with generator_tape.stop_recording():
                variables = self.discriminator.trainable_variables
                self.discriminator_optimizer.apply(tape.gradient(scaled_loss, variables), variables)

            # 2. Update the generator against the discriminator as it is now.
            logits = self.discriminator([seen, augment(restored)], training=True)
            l1_loss = l1(target, restored)
            generator_loss = self._generator_objective(logits) + self.l1_weight * l1_loss
            scaled_loss = scale_loss(self.generator_optimizer, generator_loss)
        variables = self.generator.trainable_variables
        self.generator_optimizer.apply(generator_tape.gradient(scaled_loss, variables), variables)

        self.l1.update_state(l1_loss)
        self.psnr.update_state(psnr(target, restored, DATA_RANGE))
        logs = self._finish_step(discriminator_loss, generator_loss)
        return {name: value for name, value in logs.items() if name != "ssim"}

    def test_step(self, data):
        """Measure both losses, PSNR and SSIM of the averaged generator."""
        degraded, target, _ = keras.utils.unpack_x_y_sample_weight(data)
        restored = self(degraded)
        real_logits = self.discriminator([degraded, target], training=False)
        fake_logits = self.discriminator([degraded, restored], training=False)
        l1_loss = l1(target, restored)
        self.discriminator_loss.update_state(
            0.5 * self._discriminator_objective(real_logits, fake_logits)
        )
        self.generator_loss.update_state(
            self._generator_objective(fake_logits) + self.l1_weight * l1_loss
        )
        self.l1.update_state(l1_loss)
        self.psnr.update_state(psnr(target, restored, DATA_RANGE))
        self.ssim.update_state(ssim(to_unit(target), to_unit(restored), 1.0))
        return {metric.name: metric.result() for metric in self.metrics}
