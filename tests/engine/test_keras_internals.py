"""Private names of Keras and TensorFlow stand in one file, where an upgrade of theirs is looked after."""

import ast
import pathlib

import keras

import zoo

_FILE = "engine/keras_internals.py"
_PRIVATE_MODULES = ("keras.src", "tensorflow.python", "tensorflow.lite.python", "tensorflow.lite.tools")
_CLASSES = (
    keras.Model,
    keras.Sequential,
    keras.layers.Dense,
    keras.optimizers.Adam,
    keras.optimizers.LossScaleOptimizer,
    keras.callbacks.CallbackList,
    keras.callbacks.ModelCheckpoint,
    keras.losses.MeanSquaredError,
    keras.metrics.Mean,
)


def _private_names():
    """Those of Keras' classes and of an object of each, which are in the code only if they are used."""
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    model.compile("adam", "mse")
    objects = (model, model.layers[1], model.optimizer, keras.callbacks.CallbackList())
    names = {name for thing in (*_CLASSES, *objects) for name in dir(thing)} | {"_use_cached_eval_dataset"}
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


def _used(file, private):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    own |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    if not str(file).endswith(_FILE):
        private = private - own
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in private:
            yield node.attr
        elif isinstance(node, ast.Constant) and node.value in private:
            yield node.value
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_PRIVATE_MODULES):
            yield node.module


def test_they_stand_in_one_file():
    package, private = pathlib.Path(zoo.__file__).parent, _private_names()
    used = {str(file.relative_to(package)): sorted(set(_used(file, private))) for file in package.rglob("*.py")}
    here = used.pop(_FILE)
    assert {"_flatten_layers", "_distribute_strategy", "_compile_config"} <= set(here)
    assert {file: names for file, names in used.items() if names} == {}
