"""What can be seen of a SavedModel, without a server, that keeps servers from serving it.

Each of these loads and runs in Python, and fails elsewhere.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from gan_keras.errors import UserError

_PYTHON = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}  # the graph calls this process' Python
_ABSENT = {"DecodeWebP"}  # newer than many servers
_INIT = "__saved_model_init_op"


def find_saved_models(folder):
    """Return the paths of the SavedModels in a version's folder, a model's, or all models'.

    Raises:
        UserError: There is none.
    """
    found = sorted(path.parent for path in Path(folder).rglob("saved_model.pb"))
    if not found:
        raise UserError(f"{folder} holds no saved_model.pb: name a folder that `export` wrote")
    return found


def check(folder):
    """Look for what keeps a server from serving a SavedModel.

    Args:
        folder: The version's path, with its `saved_model.pb`.

    Returns:
        Sentences, one a problem; none where there is none.

    Raises:
        UserError: It cannot be read.
    """
    folder = Path(folder)
    try:
        metas = SavedModel.FromString((folder / "saved_model.pb").read_bytes()).meta_graphs
    except Exception as error:  # protobuf's own
        raise UserError(f"{folder}/saved_model.pb is damaged ({error}): export anew") from error
    served = [meta for meta in metas if "serve" in meta.meta_info_def.tags]
    if not served:
        return ["no graph has the tag 'serve': a server finds nothing to load"]
    meta = served[0]
    problems = _operations(meta.graph_def) + _signatures(meta) + _variables(meta)
    if not folder.resolve().name.isdigit():
        problems.append(
            f"the folder's name, {folder.resolve().name!r}, is no version: a server "
            "looks for whole numbers"
        )
    return problems + _duplicates(folder)


def _operations(graph):
    functions = {function.signature.name for function in graph.library.function}
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    used = {node.op for node in nodes} - functions
    problems = [f"operation {op} runs Python, which a server has not" for op in used & _PYTHON]
    problems += [f"operation {op} is missing in many servers" for op in used & _ABSENT]
    unknown = (op for op in used if not hasattr(tf.raw_ops, op))
    problems += [f"operation {op} is not TensorFlow's own" for op in unknown]
    owners = [*nodes, *graph.library.function]
    if any(owner.attr["_XlaMustCompile"].b for owner in owners if "_XlaMustCompile" in owner.attr):
        problems.append(
            "a function must be compiled by XLA, which many servers lack: "
            "export without jit_compile=True"
        )
    return sorted(problems)


def _signatures(meta):
    problems = []
    signatures = {key: s for key, s in meta.signature_def.items() if key != _INIT}
    if "serving_default" not in signatures:
        problems.append("no signature serving_default, which a request without a name asks for")
    for key, signature in signatures.items():
        for side, tensors in (("input", signature.inputs), ("output", signature.outputs)):
            for name, tensor in tensors.items():
                shape = tensor.tensor_shape
                if not shape.unknown_rank and (not shape.dim or shape.dim[0].size != -1):
                    problems.append(
                        f"signature {key}: {side} {name} has not the batch, of any "
                        "size, as its first dimension: a server cannot join requests"
                    )
    return problems


def _variables(meta):
    """Name variables that a signature reads and that loading does not fill."""
    nodes = {node.name: node for node in meta.graph_def.node}

    def handles(*names):
        reached, ahead = set(), [_node_name(name) for name in names if name]
        while ahead:
            name = ahead.pop()
            if name not in reached:
                reached.add(name)
                ahead += map(_node_name, nodes[name].input)
        found = (nodes[name] for name in reached if nodes[name].op == "VarHandleOp")
        return {node.attr["shared_name"].s.decode() for node in found}

    filled = handles(meta.saver_def.restore_op_name)
    outputs = (t.name for s in meta.signature_def.values() for t in s.outputs.values())
    missing = sorted(handles(*outputs) - filled)
    return [
        f"variable {name} is read and never restored: a session says 'Could not find "
        "variable' (save with keras.export.ExportArchive)"
        for name in missing
    ]


def _node_name(tensor):
    return tensor.removeprefix("^").split(":")[0]


def _duplicates(folder):
    """Say how much of the weights' file holds the same values again."""
    if not (folder / "variables/variables.index").exists():
        return []
    reader = tf.train.load_checkpoint(str(folder / "variables/variables"))
    seen, total, twice = set(), 0, 0
    for name in reader.get_variable_to_shape_map():
        values = reader.get_tensor(name)
        if not isinstance(values, np.ndarray) or (values == values.flat[0]).all():
            continue  # constants, zeros of a fresh layer say, are alike without being copies
        key = (values.shape, values.tobytes())
        total += values.nbytes
        twice += values.nbytes if key in seen else 0
        seen.add(key)
    if twice <= total / 10:
        return []
    return [
        f"{twice / total:.0%} of the weights' file holds the same values again (add_endpoint of "
        "keras.export.ExportArchive, without track, stores them once)"
    ]
