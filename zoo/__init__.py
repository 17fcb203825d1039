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

# Public name -> (module that defines it, attribute there; None for the module itself).
_PUBLIC = {
    "Autoencoder": ("zoo.autoencoder", "Autoencoder"),
    "Card": ("zoo.catalog.card", "Card"),
    "ExportReport": ("zoo.exporting.report", "ExportReport"),
    "ParityError": ("zoo.core.errors", "ParityError"),
    "ZooError": ("zoo.core.errors", "ZooError"),
    "card": ("zoo.catalog.lookup", "card"),
    "classifier": ("zoo.transfer.classifier", "classifier"),
    "convolutional": ("zoo.families.convolutional", "convolutional"),
    "corruption": ("zoo.layers.corruption", None),
    "data": ("zoo.data", None),
    "denoising": ("zoo.families.denoising", "denoising"),
    "evaluate": ("zoo.evaluation", "evaluate"),
    "export": ("zoo.exporting.export", "export"),
    "family": ("zoo.families.family", "family"),
    "feed_forward": ("zoo.families.feed_forward", "feed_forward"),
    "fine_tune": ("zoo.transfer.fine_tuning", "fine_tune"),
    "freeze": ("zoo.transfer.freezing", "freeze"),
    "from_config": ("zoo.families", "from_config"),
    "list_families": ("zoo.families", "list_families"),
    "list_pretrained": ("zoo.catalog.lookup", "list_pretrained"),
    "lite": ("zoo.lite", None),
    "load": ("zoo.catalog.load", "load"),
    "load_encoder": ("zoo.catalog.load", "load_encoder"),
    "load_model": ("zoo.catalog.keras_file", "load_model"),
    "save": ("zoo.catalog.save", "save"),
    "sparse": ("zoo.families.sparse", "sparse"),
    "sparsity": ("zoo.layers.sparsity", None),
    "threshold": ("zoo.evaluation.threshold", "threshold"),
    "train": ("zoo.recipes.train", "train"),
    "unfreeze": ("zoo.transfer.freezing", "unfreeze"),
    "wrap": ("zoo.families.wrap", "wrap"),
}

# Classes that a .keras file may name -> the module that imports them with all that they need.
_SERIALIZABLE = {
    "Autoencoder": "zoo.autoencoder",
    "Classifier": "zoo.transfer.classifier",
    "Decoder": "zoo.layers.parts",
    "Encoder": "zoo.layers.parts",
    "KeepLargest": "zoo.layers.sparsity",
    "TiedConvolution": "zoo.layers.tied",
    "TiedDense": "zoo.layers.tied",
    "registry": "zoo.families",  # no class, but has the `from_config` that an Autoencoder of a family needs
}

__all__ = sorted(_PUBLIC)
keras_registry.register("zoo", _SERIALIZABLE)


def __getattr__(name):
    try:
        module_name, attribute = _PUBLIC[name]
    except KeyError:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}") from None
    module = importlib.import_module(module_name)
    value = module if attribute is None else getattr(module, attribute)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_PUBLIC})
