"""A trained network in another precision."""

import keras


def in_bfloat16(network):
    """Copy a functional network: all its layers but the last compute in bfloat16.

    Weights and outputs stay float32, and so does a photograph whose pixels are repeated, to which
    a network that enlarges adds its change: bfloat16 has 8 bits of it.

    Args:
        network: A functional model of layers and operations.

    Returns:
        A functional model of the same weights.
    """
    last = set(network.output_names)

    def lowered(layer):
        config = layer.get_config()
        exact = layer.name in last or isinstance(layer, keras.layers.UpSampling2D)
        if isinstance(layer, keras.Layer) and not exact:
            config["dtype"] = "mixed_bfloat16"
        return type(layer).from_config(config)

    copy = keras.models.clone_model(network, clone_function=lowered)
    copy.set_weights(network.get_weights())
    return copy
