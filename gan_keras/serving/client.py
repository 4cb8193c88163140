"""A client of TensorFlow Serving, by REST or gRPC, whose errors a person can read."""

import base64
import dataclasses
import http.client
import io
import json
import time
import urllib.error
import urllib.request

import numpy as np
from PIL import Image

from gan_keras.errors import UserError
from gan_keras.restoration.colour16 import encode_png
from gan_keras.restoration.files import read_image, write_image

_NOT_NOW = (429, 502, 503, 504)  # HTTP: too many requests, and three ways of "not now"


class NotNow(Exception):
    """The server did not take the request; it may take the next."""


class RestServer:
    """A model server's REST interface.

    Args:
        url: As in http://localhost:8501.
        timeout: Seconds that an answer may take.
    """

    def __init__(self, url, timeout=300.0):
        if not url.startswith(("http://", "https://")):
            raise UserError(f"--url {url}: an address like http://localhost:8501 is wanted")
        self.url, self.timeout = url.rstrip("/"), timeout

    def restore(self, model, data, strength=None):
        """Restore one file.

        Args:
            model: The served name.
            data: The file's bytes.
            strength: Share of the change, 0 to 1; None leaves it to the server: all of it.

        Returns:
            (restored, error): the bytes of a PNG and "", or b"" and the reason.

        Raises:
            NotNow: The server cannot be reached or is too busy.
            UserError: It has no such model, refuses, takes too long, or is no model server.
        """
        instance = {"image_bytes": {"b64": base64.b64encode(data).decode()}}
        instance |= {} if strength is None else {"strength": strength}
        body = {"signature_name": _signature(strength), "instances": [instance]}
        request = urllib.request.Request(
            f"{self.url}/v1/models/{model}:predict",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as reply:
                content = reply.read()
        except urllib.error.HTTPError as error:
            self._refused(error, model)
        except TimeoutError as error:
            raise UserError(_too_slow(self.url, self.timeout)) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise UserError(_too_slow(self.url, self.timeout)) from error
            raise NotNow(f"{self.url} cannot be reached ({reason})") from error
        try:
            (answer,) = json.loads(content)["predictions"]
            return base64.b64decode(answer["restored_bytes"]["b64"]), answer["error"]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(_foreign(self.url, model)) from error

    def _refused(self, error, model):
        with error:
            content = error.read()
        try:
            reason = json.loads(content)["error"]
        except (ValueError, KeyError, TypeError):
            reason = f"HTTP {error.code} {error.reason}"
        if error.code in _NOT_NOW:
            raise NotNow(f"{self.url} is busy ({reason})") from error
        if error.code == 404:
            raise UserError(_no_model(self.url, model, reason)) from error
        raise UserError(f"{self.url} refuses: {_line(reason)}") from error


class GrpcServer:
    """A model server's gRPC interface.

    Args:
        address: As in localhost:8500.
        timeout: Seconds that an answer may take.

    Raises:
        UserError: The stubs are not installed.
    """

    def __init__(self, address, timeout=300.0):
        try:
            import grpc
            from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub
        except ImportError as error:
            raise UserError(
                "--grpc needs TensorFlow Serving's stubs: pip install 'gan_keras[serve]', or "
                "use --url"
            ) from error
        any_size = [(f"grpc.max_{way}_message_length", -1) for way in ("send", "receive")]
        self.address, self.timeout = address, timeout
        self._stub = PredictionServiceStub(grpc.insecure_channel(address, any_size))

    def restore(self, model, data, strength=None):
        """Restore one file: see `RestServer.restore`."""
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis.predict_pb2 import PredictRequest

        request = PredictRequest()
        request.model_spec.name = model
        request.model_spec.signature_name = _signature(strength)
        tensor = request.inputs["image_bytes"]  # by hand: NumPy drops zeros at the end of bytes
        tensor.dtype = tf.string.as_datatype_enum
        tensor.tensor_shape.dim.add(size=1)
        tensor.string_val.append(data)
        if strength is not None:
            tensor = request.inputs["strength"]
            tensor.dtype = tf.float32.as_datatype_enum
            tensor.tensor_shape.dim.add(size=1)
            tensor.float_val.append(strength)
        try:
            outputs = self._stub.Predict(request, timeout=self.timeout).outputs
        except grpc.RpcError as error:
            code, reason = error.code(), error.details()
            if code == grpc.StatusCode.UNAVAILABLE:
                raise NotNow(f"{self.address} cannot be reached ({_line(reason)})") from error
            if code == grpc.StatusCode.DEADLINE_EXCEEDED:
                raise UserError(_too_slow(self.address, self.timeout)) from error
            if code == grpc.StatusCode.NOT_FOUND:
                raise UserError(_no_model(self.address, model, reason)) from error
            raise UserError(f"{self.address} refuses: {code.name}, {_line(reason)}") from error
        if not {"restored_bytes", "error"} <= outputs.keys():
            raise UserError(_foreign(self.address, model))
        restored, error = (outputs[key].string_val[0] for key in ("restored_bytes", "error"))
        return restored, error.decode()


def restore(server, model, data, retries=3, pause=1.0, strength=None):
    """Restore one file, trying again while the server cannot be reached or is busy.

    Args:
        server: A `RestServer` or a `GrpcServer`.
        model: The served name.
        data: The file's bytes.
        retries: Further tries after the first.
        pause: Seconds before the second try, doubled before each further one.
        strength: See `RestServer.restore`.

    Returns:
        The bytes of a PNG file.

    Raises:
        UserError: No try went well, or the server says what is wrong.
    """
    for attempt in range(retries + 1):
        if attempt:
            time.sleep(pause * 2 ** (attempt - 1))
        try:
            restored, error = server.restore(model, data, strength)
        except NotNow as error:
            reason = error
        else:
            if error:
                raise UserError(f"the server cannot restore it: {error}")
            return restored
    raise UserError(f"{reason}, {retries + 1} times: is the server up, and the address right?")


def enhance_file(source, target, server, model, retries=3, strength=None):
    """Restore a file into another by a server: grey, alpha, EXIF, ICC and bit depth are kept.

    A JPEG is sent as it is, for it is small; anything else as a PNG of its pixels, upright.

    Args:
        source: A photograph; see `restoration.files.read_image`.
        target: File to write, atomically.
        server: A `RestServer` or a `GrpcServer`.
        model: The served name.
        retries: See `restore`.
        strength: See `RestServer.restore`.

    Raises:
        UserError: A file cannot be read or written, or the server does not restore it.
    """
    picture = read_image(source)
    data = source.read_bytes() if picture.format == "JPEG" else _png(picture.samples)
    try:
        restored = restore(server, model, data, retries, strength=strength)
        restored = read_image(io.BytesIO(restored)).samples
    except UserError as error:
        raise UserError(f"{source}: {error}") from error
    if picture.grey:
        restored = np.round(restored.mean(axis=-1, keepdims=True)).astype(restored.dtype)
    write_image(target, dataclasses.replace(picture, samples=restored))


def _png(samples):
    if samples.dtype == np.uint16:
        return encode_png(np.repeat(samples, 3 // samples.shape[-1], axis=-1))
    file = io.BytesIO()
    Image.fromarray(samples.squeeze(-1) if samples.shape[-1] == 1 else samples).save(file, "PNG")
    return file.getvalue()


def _signature(strength):
    return "serving_default" if strength is None else "enhance_with_strength"


def _line(reason):
    return " ".join(str(reason).split())[:300]


def _too_slow(address, timeout):
    return f"{address} gave no answer in {timeout:g} seconds: give it more with --timeout"


def _no_model(address, model, reason):
    return f"{address} serves no model {model!r} ({_line(reason)}): give its name with --model"


def _foreign(address, model):
    return f"{address} does not answer as an enhancer of TensorFlow Serving: is {model!r} one?"
