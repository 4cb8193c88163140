"""The arithmetic of a training step, counted from its graph."""

import math


def count_flops(concrete):
    """Count the multiplications and additions of a graph's convolutions and matrix products.

    Two for each product that is added up: those with a border's zeros count, as is usual, and
    what is done to each pixel by itself (norms, activations, optimisers) does not. A convolution
    and its two gradients take the same: 2·B·h·w·k²·c_in·c_out, with h×w on the side with c_out
    channels. What no result and no variable depends on is never run, and not counted.

    Args:
        concrete: A `ConcreteFunction` whose shapes are all known.

    Returns:
        Operations a call.
    """
    waiting = [tensor.op for tensor in concrete.graph.outputs]
    waiting += concrete.graph.control_outputs
    seen, total = set(), 0
    while waiting:
        operation = waiting.pop()
        if operation in seen:
            continue
        seen.add(operation)
        waiting += [tensor.op for tensor in operation.inputs] + list(operation.control_inputs)
        inputs = [tensor.shape for tensor in operation.inputs]
        outputs = [tensor.shape for tensor in operation.outputs]
        if operation.type == "Conv2D":  # images, kernel → result
            total += 2 * math.prod(outputs[0]) * math.prod(inputs[1][:3])
        elif operation.type == "Conv2DBackpropInput":  # size, kernel, gradient → gradient
            total += 2 * math.prod(inputs[2]) * math.prod(inputs[1][:3])
        elif operation.type == "Conv2DBackpropFilter":  # images, size, gradient → gradient
            total += 2 * math.prod(inputs[2]) * math.prod(outputs[0][:3])
        elif operation.type == "MatMul":
            inner = inputs[0][0 if operation.get_attr("transpose_a") else 1]
            total += 2 * math.prod(outputs[0]) * inner
    return total
