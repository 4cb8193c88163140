"""How far each output pixel of a network looks, computed from its layers."""

import math
from fractions import Fraction

import keras

_POINTWISE = [
    "InputLayer",
    "Activation",
    "ReLU",
    "LeakyReLU",
    "PReLU",
    "Add",
    "Subtract",
    "Multiply",
    "Concatenate",
    "Rescaling",
    "GetItem",
    "BatchNormalization",
    "Dropout",
    "Identity",
]
_SLIDING = ["Conv2D", "SpectralConv2D", "DepthwiseConv2D", "MaxPooling2D", "AveragePooling2D"]
_RESIZED = {"nearest": 0, "bilinear": 1, "bicubic": 3}  # pixels read a side, less one


def receptive_field(model):
    r"""Compute the receptive field of a functional convolutional network.

    Along the path of layers, a convolution with kernel k and stride s widens the field by
    (k − 1)·j, where j, the jump, is the distance in input pixels between neighbours of its input,
    and multiplies j by s. A transposed convolution divides j by s, and then widens the field as a
    convolution over an input with zeros between its pixels: by (k − 1)·j, an upper bound; so does
    resizing by s, which reads 2 pixels a side where it is bilinear, 4 where it is bicubic. Where
    paths meet, the widest counts (Dumoulin & Visin 2016; Araujo et al. 2019).

    Args:
        model: A functional model of convolutions, transposed convolutions, up-sampling and
            pointwise layers.

    Returns:
        (field, stride): the widest field of one output pixel, and the greatest jump on the way,
        both in input pixels. Inputs whose sides are multiples of `stride` keep the grid aligned.

    Raises:
        ValueError: A layer reads the whole image (a normalisation, say) or is not known.
    """
    reached = {}  # KerasTensor id → (field, jump)
    greatest = 1
    for layer in model.layers:
        kind = type(layer).__name__
        for node in layer._inbound_nodes:
            inputs = [reached[id(t)] for t in node.input_tensors if id(t) in reached]
            field = max((f for f, _ in inputs), default=1)
            jump = max((j for _, j in inputs), default=1)
            if kind in _SLIDING:
                kernel = getattr(layer, "kernel_size", None) or layer.pool_size
                dilation = getattr(layer, "dilation_rate", (1, 1))
                field += max((k - 1) * d for k, d in zip(kernel, dilation, strict=True)) * jump
                jump *= max(layer.strides)
            elif kind == "Conv2DTranspose":
                jump = Fraction(jump, max(layer.strides))
                field += (max(layer.kernel_size) - 1) * jump
            elif kind == "UpSampling2D" and layer.interpolation in _RESIZED:
                field += _RESIZED[layer.interpolation] * jump
                jump = Fraction(jump, max(layer.size))
            elif kind not in _POINTWISE:
                raise ValueError(
                    f"layer {layer.name!r} ({kind}) has no local receptive field that is known here"
                )
            greatest = max(greatest, jump)
            for tensor in node.output_tensors:
                reached[id(tensor)] = (field, jump)
    field = max(reached[id(t)][0] for t in keras.tree.flatten(model.outputs))
    return math.ceil(field), int(greatest)
