"""The requests that TensorFlow Serving replays before a model answers its first user."""

import tensorflow as tf

WARM_UP = "assets.extra/tf_serving_warmup_requests"  # the place where the server looks


def write_warm_up(folder, name, signatures):
    """Write one small request a signature into an exported version, where the stubs are installed.

    Args:
        folder: The version's path.
        name: The served model's name.
        signatures: Name → `Signature`.

    Returns:
        Whether it was written: the messages come with `tensorflow-serving-api`.
    """
    try:
        from tensorflow_serving.apis.predict_pb2 import PredictRequest
        from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog
    except ImportError:
        return False
    with tf.io.TFRecordWriter(str(folder / WARM_UP)) as writer:
        for signature_name, signature in signatures.items():
            request = PredictRequest()
            request.model_spec.name = name
            request.model_spec.signature_name = signature_name
            for key, value in signature.example.items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
            log = PredictionLog(predict_log=PredictLog(request=request))
            writer.write(log.SerializeToString())
    return True
