"""Configs of Keras models that come with a file: checked to name nothing but Keras' own layers, before one is built."""

import inspect
import math

import keras

from zoo.core.errors import ConfigError
from zoo.layers.parts import Decoder, Encoder
from zoo.layers.sparsity import KeepLargest

# Layers that compute; none that runs code from its config (Lambda) or opens files (StringLookup, TFSMLayer ...).
_LAYERS = """
    Activation Add AlphaDropout Average AveragePooling1D AveragePooling2D AveragePooling3D BatchNormalization
    Bidirectional Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose Cropping1D
    Cropping2D Cropping3D Dense DepthwiseConv1D DepthwiseConv2D Dot Dropout ELU Embedding Flatten GRU GRUCell
    GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
    GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization Identity InputLayer LSTM LSTMCell
    LayerNormalization LeakyReLU Masking MaxPooling1D MaxPooling2D MaxPooling3D Maximum Minimum MultiHeadAttention
    Multiply Normalization PReLU Permute RNN ReLU RepeatVector Rescaling Reshape SeparableConv1D SeparableConv2D
    SimpleRNN SimpleRNNCell Softmax SpatialDropout1D SpatialDropout2D SpatialDropout3D Subtract TimeDistributed
    UnitNormalization UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
"""
_INITIALIZERS = """
    Constant GlorotNormal GlorotUniform HeNormal HeUniform IdentityInitializer LecunNormal LecunUniform Ones
    OrthogonalInitializer RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros Identity Orthogonal
"""
_BUILT_IN = {
    "keras.layers": _LAYERS.split(),
    "keras.initializers": _INITIALIZERS.split(),
    "keras.regularizers": ["L1", "L2", "L1L2", "OrthogonalRegularizer"],
    "keras.constraints": ["MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"],
    "keras": ["DTypePolicy", "Sequential"],
}
_CLASSES = {
    (module, name): getattr(vars(keras)[module.partition(".")[2]] if "." in module else keras, name)
    for module, names in _BUILT_IN.items()
    for name in names
} | {(cls.__module__, cls.__name__): cls for cls in (Encoder, Decoder, KeepLargest)}
_MODELS = {"keras.src.models.functional": "Functional", "keras.models": "Functional"}
_COUNTED = {"keras.layers", *_MODELS, *(module for module, _ in _CLASSES if module.startswith("zoo."))}
_OBJECT = {
    "module", "class_name", "config", "registered_name", "build_config", "compile_config", "name", "inbound_nodes",
    "shared_object_id",
}  # fmt: skip
_GRAPH = {"name", "trainable", "layers", "input_layers", "output_layers", "build_input_shape", "dtype"}
_FACTS = {"unit_range", "trained_on"}
# Far above what an autoencoder has. Keras takes some milliseconds for each layer and each call of one.
_LAYERS_AND_CALLS = 500
_NORMALIZED = 2**25


def check(config: dict, where: str) -> None:
    """Raise `ConfigError` unless the config of a functional model names Keras' own layers and plain values only.

    Args:
        config: dict, ``get_config()`` of a functional model.
        where: what to call the model in an error.
    """
    if not isinstance(config, dict):
        raise ConfigError(f"{where} must be the config of a functional Keras model. Received: {config!r}.")
    _check_keys(config, _GRAPH | _FACTS, where)
    for value in config.values():
        _check_value(value, where)
    if (number := _layers_and_calls(config)) > _LAYERS_AND_CALLS:
        raise ConfigError(
            f"{where} contains {number:,} layers and calls of layers: at most {_LAYERS_AND_CALLS} are allowed."
        )


def _layers_and_calls(value):
    """Number of calls in all graphs inside a config, plus that of the layers that stand in no graph."""
    if isinstance(value, (list, tuple)):
        return sum(map(_layers_and_calls, value))
    if not isinstance(value, dict):
        return 0
    calls = value.get("inbound_nodes")
    one = max(1, len(calls) if isinstance(calls, (list, tuple)) else 0) if value.get("module") in _COUNTED else 0
    return one + sum(map(_layers_and_calls, value.values()))


def _check_value(value, where):
    if isinstance(value, dict) and value.keys() & {"class_name", "module", "registered_name"}:
        _check_object(value, where)
    elif isinstance(value, (dict, list, tuple)):
        for inner in value.values() if isinstance(value, dict) else value:
            _check_value(inner, where)
    elif not (value is None or isinstance(value, (str, int, float, bool))):
        raise _refused(where, f"a value of type {type(value).__name__}")


def _check_object(described, where):
    module, name, config = described.get("module"), described.get("class_name"), described.get("config")
    if name == "__keras_tensor__":
        _check_keys(described, {"class_name", "config"}, where)
        return _check_value(config, where)
    layer = config.get("name") if isinstance(config, dict) else None
    named = f"{name!r}" + (f" (layer {layer!r})" if layer else f" {config!r}" if isinstance(config, str) else "")
    graph = _MODELS.get(module) == name
    cls = _CLASSES.get((module, name))
    if (cls is None and not graph) or not isinstance(config, dict):
        raise _refused(where, named)
    registered = keras.saving.get_registered_name(cls) if cls else name
    if described.get("registered_name") not in (None, name, registered):
        raise _refused(where, repr(described["registered_name"]))
    _check_keys(described, _OBJECT, where)
    if described.get("compile_config"):
        raise _refused(where, "a compiled model")
    _check_keys(config, _GRAPH | _FACTS if graph or issubclass(cls, keras.Model) else _arguments(cls), where)
    for key, value in config.items():
        plain = value is None or (isinstance(value, dict) and "class_name" in value)
        if key.endswith("activation"):
            plain = plain or (isinstance(value, str) and callable(vars(keras.activations).get(value)))
        if key.endswith(("activation", "_initializer", "_regularizer", "_constraint")) and not plain:
            raise _refused(where, f"{key}={str(value)[:80]!r} in {named}")
        _check_value(value, where)
    for key in ("build_config", "inbound_nodes"):
        _check_value(described.get(key), where)
    if cls is keras.layers.Normalization:
        _check_normalization(described.get("build_config"), where)


def _check_normalization(build_config, where):
    """This layer alone allocates when it is built, for the shape in its config if there is one."""
    shape = build_config.get("input_shape") if isinstance(build_config, dict) else None
    plain = isinstance(shape, (list, tuple)) and all(size is None or isinstance(size, int) for size in shape)
    if not plain or math.prod(abs(size or 1) for size in shape) > _NORMALIZED:
        raise _refused(where, "a Normalization layer without the shape that it was built for, or with an absurd one")


def _check_keys(described, known, where):
    if unknown := described.keys() - known:
        raise _refused(where, f"the argument {min(unknown)!r}")


def _arguments(cls):
    """Names of the arguments that the constructor of a Keras class and of its bases take."""
    names = {name for base in cls.__mro__[:-1] for name in inspect.signature(base.__init__).parameters}
    return names | {"rms_scaling"}  # which LayerNormalization writes and no longer takes


def _refused(where, what):
    return ConfigError(
        f"{where} contains {what}. zoo.save and zoo.load know Keras' own layers only, because a folder that is passed"
        " on must not run code. Keep a model with layers of your own as model.save('model.keras')."
    )
