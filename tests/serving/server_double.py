"""A stand-in for TensorFlow Serving: the real messages around SavedModels, loaded in sessions.

It speaks gRPC through the official stubs of `tensorflow-serving-api`, and as much of the REST
interface as the client uses. It is not TensorFlow Serving: it has no batching, no versions but the
newest, and its own error texts.

Usage: python tests/serving/server_double.py saved_models [--port 8500] [--rest-port 8501]
"""

import argparse
import base64
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


class NoSuchModel(Exception):
    pass


class Served:
    """One SavedModel in a session, as servers load it: no Python of ours takes part."""

    def __init__(self, folder):
        tf.get_logger().setLevel("ERROR")  # the loader of sessions says that it is deprecated
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            meta = tf.compat.v1.saved_model.load(self.session, ["serve"], str(folder))
        self.signatures = dict(meta.signature_def)

    def __call__(self, signature, **inputs):
        """Run a signature: name → array, to name → array."""
        known = self.signatures.get(signature or "serving_default")
        if known is None:
            raise ValueError(f"no signature {signature}: {sorted(self.signatures)}")
        if known.inputs.keys() != inputs.keys():
            raise ValueError(f"inputs {sorted(inputs)}: {sorted(known.inputs)} are wanted")
        feed = {known.inputs[name].name: value for name, value in inputs.items()}
        return self.session.run({key: t.name for key, t in known.outputs.items()}, feed)


def load_models(folder):
    """Load the newest version of each model below a folder."""
    models = {}
    for base in sorted(path for path in Path(folder).iterdir() if path.is_dir()):
        versions = [int(path.name) for path in base.iterdir() if path.name.isdigit()]
        if versions:
            models[base.name] = Served(base / str(max(versions)))
    return models


def find(models, name):
    if name not in models:
        raise NoSuchModel(f"Servable not found for request: Latest({name})")
    return models[name]


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, models):
        self.models = models

    def Predict(self, request, context):
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        try:
            model = find(self.models, request.model_spec.name)
            outputs = model(request.model_spec.signature_name, **inputs)
        except NoSuchModel as error:
            context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        except (ValueError, tf.errors.InvalidArgumentError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        reply = predict_pb2.PredictResponse()
        for name, value in outputs.items():
            reply.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return reply


def start_grpc(models, port=0):
    """Serve gRPC on localhost; return (server, port)."""
    any_size = [(f"grpc.max_{way}_message_length", -1) for way in ("send", "receive")]
    server = grpc.server(ThreadPoolExecutor(8), options=any_size)
    service = PredictionService(models)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    port = server.add_insecure_port(f"localhost:{port}")
    server.start()
    return server, port


def reply(handler, status, content):
    """Answer one HTTP request."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def start_rest(models, port=0):
    """Serve /v1/models/NAME:predict, rows alone, on localhost; return (server, port)."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = re.fullmatch(r"/v1/models/([\w.-]+):predict", self.path)[1]
            try:
                model = find(models, name)
                signature = request.get("signature_name", "serving_default")
                known, rows = model.signatures[signature].inputs, request["instances"]
                if known.keys() != rows[0].keys():
                    raise ValueError(f"keys {sorted(rows[0])}: {sorted(known)} are wanted")
                inputs = {
                    key: np.array(
                        [_from_json(row[key]) for row in rows],
                        tf.as_dtype(tensor.dtype).as_numpy_dtype,
                    )
                    for key, tensor in known.items()
                }
                outputs = model(signature, **inputs)
                answer = {
                    "predictions": [
                        {key: _to_json(key, values[row]) for key, values in outputs.items()}
                        for row in range(len(rows))
                    ]
                }
                status = 200
            except NoSuchModel as error:
                status, answer = 404, {"error": str(error)}
            except Exception as error:
                status, answer = 400, {"error": str(error)}
            reply(self, status, json.dumps(answer).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("localhost", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, server.server_port


def _from_json(value):
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value


def _to_json(name, value):
    """Convert as TensorFlow Serving does: bytes are base64 where the name says `_bytes`."""
    if isinstance(value, bytes):
        return (
            {"b64": base64.b64encode(value).decode()} if name.endswith("_bytes") else value.decode()
        )
    return value.tolist()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--port", type=int, default=8500)
    parser.add_argument("--rest-port", type=int, default=8501)
    args = parser.parse_args()
    loaded = load_models(args.folder)
    grpc_server, grpc_port = start_grpc(loaded, args.port)
    _, rest_port = start_rest(loaded, args.rest_port)
    where = f"gRPC localhost:{grpc_port}, REST http://localhost:{rest_port}"
    print(f"{', '.join(loaded)}: {where}", flush=True)
    grpc_server.wait_for_termination()
