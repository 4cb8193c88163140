"""The dial from fidelity to realism: two networks become one whose weights lie between theirs.

Fidelity is a network trained for the pixels alone, realism the same one fine-tuned against a
discriminator. The latter draws sharper detail, some of which was never there. Weights are mixed
once, so a restored photograph costs what it did (network interpolation: ESRGAN, Wang et al. 2018,
§3.4).
"""

import keras

from gan_keras.errors import UserError
from gan_keras.loading import shipped, task_name
from gan_keras.restoration.recipes import SUFFIX


def realism_tasks():
    """Return the names of the tasks whose adversarial version ships."""
    return [name.removesuffix(SUFFIX) for name in shipped() if name.endswith(SUFFIX)]


def realism_version(name):
    """Return the name of a task's shipped adversarial version.

    Raises:
        UserError: There is none; the message names the tasks that have one.
    """
    if task_name(name) not in realism_tasks():
        have = f"{', '.join(realism_tasks()) or 'none yet'}; or name your own (--realism-model)"
        raise UserError(f"{name} ships without a realism version; those that do: {have}")
    return task_name(name) + SUFFIX


def blend(fidelity, realism, share):
    r"""Mix two networks of one architecture: θ = (1 − r)·θ_fidelity + r·θ_realism.

    Halfway between the weights lies a good network only where the second was fine-tuned from the
    first.

    Args:
        fidelity: A functional network.
        realism: Another one, layer for layer of the same kinds and sizes.
        share: r, 0 (fidelity alone) to 1 (realism alone).

    Returns:
        A new network.

    Raises:
        UserError: A share outside [0, 1], or networks that differ.
    """
    if not 0 <= share <= 1:
        raise UserError(f"realism {share}: a number from 0 to 1 is wanted")
    if _anatomy(fidelity) != _anatomy(realism):
        raise UserError("the realism model is of another architecture: fine-tune it from the other")
    mixed = keras.models.clone_model(fidelity)
    pairs = zip(fidelity.get_weights(), realism.get_weights(), strict=True)
    mixed.set_weights([(1 - share) * a + share * b for a, b in pairs])
    return mixed


def _anatomy(network):
    return [(type(layer), [tuple(w.shape) for w in layer.weights]) for layer in network.layers]
