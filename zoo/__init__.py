"""zoo: an autoencoder zoo for Keras 3.

Load a pretrained encoder, fine-tune it with ``fit()``, export it to a phone::

    import zoo

    encoder = zoo.load_encoder("general-denoising-distortion-128")
    classifier = zoo.classifier(encoder, num_classes=10)
    zoo.fine_tune(classifier, images, labels)
    zoo.export(classifier, "exported")

Public names are imported on first use, so that ``import zoo`` and everything that only reads cards
(``zoo list``, ``zoo.card``) starts without TensorFlow.
"""

import importlib

from zoo.core import keras_registry

__version__ = "0.1.0"

# These are modules, all others classes and functions.
_MODULES = ("corruption", "data", "lite", "preprocessing", "sparsity")


def _public_names():
    """Public name -> (module that defines it, attribute there), from the stub, which type checkers read."""
    stub = __spec__.loader.get_data(__file__.removesuffix(".py") + ".pyi").decode()
    imports = (line.split() for line in stub.splitlines() if line.startswith("from "))
    return {name: (module, attribute) for _, module, _, attribute, _, name in imports}


_PUBLIC = _public_names()

# Classes that a .keras file may name -> the module that imports them with all that they need.
_SERIALIZABLE = {
    "Autoencoder": "zoo.autoencoder",
    "Classifier": "zoo.transfer.classifier",
    "Decoder": "zoo.layers.parts",
    "Distance": "zoo.layers.scoring",
    "Encoder": "zoo.layers.parts",
    "HeatMap": "zoo.layers.patches",
    "KeepLargest": "zoo.layers.sparsity",
    "NearestPatch": "zoo.layers.patches",
    "PatchCoder": "zoo.families.patch_coder",
    "PatchDetector": "zoo.families.patch_detector",
    "PatchGaussian": "zoo.layers.patches",
    "PatchScore": "zoo.layers.patches",
    "TiedConvolution": "zoo.layers.tied",
    "TiedDense": "zoo.layers.tied",
    "registry": "zoo.families",  # no class, but has the `from_config` that an Autoencoder of a family needs
}
_PREPROCESSING = (
    "AlignTime",
    "GridStatistics",
    "LogMel",
    "PatchStatistics",
    "PerWindowStandardize",
    "Relative",
    "Rescale",
    "Spectrogram",
    "Standardize",
    "WhitenedPatches",
)

__all__ = sorted(_PUBLIC)
keras_registry.register("zoo", _SERIALIZABLE)
keras_registry.register("zoo.preprocessing", dict.fromkeys(_PREPROCESSING, "zoo.layers.preprocessing"))


def __getattr__(name):
    try:
        module_name, attribute = _PUBLIC[name]
    except KeyError:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}") from None
    if name in _MODULES:
        value = importlib.import_module(f"{module_name}.{attribute}")
    else:
        value = getattr(importlib.import_module(module_name), attribute)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_PUBLIC})
