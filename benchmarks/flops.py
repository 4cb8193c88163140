"""The arithmetic of a training step, counted from its graph, and timed by itself."""

import functools
import math

import tensorflow as tf

KERNELS = ("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter", "MatMul")


def kernels(concrete):
    """Return the convolutions and matrix products of a graph, as its operations.

    What no result and no variable depends on is never run, and left out.

    Args:
        concrete: A `ConcreteFunction` whose shapes are all known.
    """
    waiting = [tensor.op for tensor in concrete.graph.outputs]
    waiting += concrete.graph.control_outputs
    seen = {}  # in the order of the walk
    while waiting:
        operation = waiting.pop()
        if operation not in seen:
            seen[operation] = None
            waiting += [tensor.op for tensor in operation.inputs] + list(operation.control_inputs)
    return [operation for operation in seen if operation.type in KERNELS]


def count_flops(concrete):
    """Count the multiplications and additions of a graph's convolutions and matrix products.

    Two for each product that is added up: those with a border's zeros count, as is usual, and
    what is done to each pixel by itself (norms, activations, optimisers) does not. A convolution
    and its two gradients take the same: 2·B·h·w·k²·c_in·c_out, with h×w on the side with c_out
    channels.

    Args:
        concrete: See `kernels`.

    Returns:
        Operations a call.
    """
    return sum(map(_flops, kernels(concrete)))


def _flops(operation):
    inputs = [tensor.shape for tensor in operation.inputs]
    (output,) = (tensor.shape for tensor in operation.outputs)
    if operation.type == "Conv2D":  # images, kernel → result
        return 2 * math.prod(output) * math.prod(inputs[1][:3])
    if operation.type == "Conv2DBackpropInput":  # size, kernel, gradient → gradient
        return 2 * math.prod(inputs[2]) * math.prod(inputs[1][:3])
    if operation.type == "Conv2DBackpropFilter":  # images, size, gradient → gradient
        return 2 * math.prod(inputs[2]) * math.prod(output[:3])
    return 2 * math.prod(output) * inputs[0][0 if operation.get_attr("transpose_a") else 1]


def kernels_alone(concrete):
    """Return a function that runs a graph's convolutions and matrix products, and nothing else.

    On noise, none waiting for another; one row of each result is kept.

    Args:
        concrete: See `kernels`.
    """
    functions, noise = zip(*map(_alone, kernels(concrete)), strict=True)

    @tf.function
    def run(noise):
        results = [function(**given) for function, given in zip(functions, noise, strict=True)]
        return [result[(0,) * (result.shape.rank - 1)] for result in results]

    return lambda: run(noise)


def _alone(operation):
    """Return (an operation as a function of its tensors by name, noise for them)."""
    settings = {a.name for a in operation.op_def.attr if not a.name.startswith("T")}
    settings, noise = {name: operation.get_attr(name) for name in settings}, {}
    for argument, tensor in zip(operation.op_def.input_arg, operation.inputs, strict=True):
        if tensor.dtype == tf.int32:  # the size of a gradient, which is the result
            settings[argument.name] = list(operation.outputs[0].shape)
        else:
            noise[argument.name] = tf.cast(tf.random.uniform(tensor.shape, -1, 1), tensor.dtype)
    return functools.partial(getattr(tf.raw_ops, operation.type), **settings), noise
