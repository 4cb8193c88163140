"""The arithmetic of a training step, counted from its graph, and timed by itself."""

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
    seen = set()
    while waiting:
        operation = waiting.pop()
        if operation not in seen:
            seen.add(operation)
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

    On noise, none waiting for another: no step of the same arithmetic can be faster than these
    kernels let it be.

    Args:
        concrete: See `kernels`.
    """
    calls = [_call(operation) for operation in kernels(concrete)]
    noise = [[_noise(tensor) for tensor in operation.inputs] for operation in kernels(concrete)]

    @tf.function
    def run(noise):
        return [call(*inputs) for call, inputs in zip(calls, noise, strict=True)]

    return lambda: run(noise)


def _call(operation):
    """Return an operation as a function of its inputs; sizes are constants."""
    names = [argument.name for argument in operation.op_def.input_arg]
    given = {a.name for a in operation.op_def.attr if not a.name.startswith("T")}
    settings = {name: operation.get_attr(name) for name in given}
    sizes = {
        name: tf.get_static_value(tensor)
        for name, tensor in zip(names, operation.inputs, strict=True)
        if tensor.dtype == tf.int32
    }
    if operation.type == "Conv2DBackpropInput":
        sizes["input_sizes"] = list(operation.outputs[0].shape)
    elif operation.type == "Conv2DBackpropFilter":
        sizes["filter_sizes"] = list(operation.outputs[0].shape)
    function = getattr(tf.raw_ops, operation.type)

    def call(*inputs):
        return function(**dict(zip(names, inputs, strict=True)) | sizes | settings)

    return call


def _noise(tensor):
    if tensor.dtype == tf.int32:
        return tf.zeros(tensor.shape, tf.int32)
    return tf.cast(tf.random.uniform(tensor.shape, -1, 1), tensor.dtype)
