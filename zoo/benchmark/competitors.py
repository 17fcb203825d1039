"""The trainings of zoo and of Keras that the benchmark measures; `further` ones come from other modules.

A competitor is a class: making it builds and compiles the model, `epoch()` trains one epoch and returns its mean loss.
All of them train with batches of 256, Adam at 1e-3 and the mean squared error, on the same samples, shuffled.
"""

import importlib
import types
from collections.abc import Mapping

import keras

from zoo.core.errors import UnknownNameError

BATCH_SIZE = 256
LEARNING_RATE = 1e-3


class Competitor:
    """Base class.

    Args:
        network: `zoo.benchmark.models.Network`.
        source: zoo.data.Source of the samples, uint8 (samples, *network.shape).
        pixels: the same samples as float32 in [0, 1].

    Attributes:
        name: as in the tables.
        warm_up: epochs that are not measured, because they compile.
        settings: what was chosen for this network, for the results.
    """

    name = ""
    warm_up = 1
    settings = ""

    def __init__(self, network, source, pixels):
        raise NotImplementedError

    @classmethod
    def missing(cls):
        """Why it cannot run here, or None."""
        return None

    def epoch(self):
        """Train one epoch; the mean loss per element over its steps."""
        raise NotImplementedError

    def described(self):
        """Number of parameters and settings, for the results."""
        return {"parameters": self.parameters, "settings": self.settings}

    @property
    def parameters(self):
        """Number of parameters of the model."""
        return self.model.count_params()


class Zoo(Competitor):
    """`fit` of an Autoencoder on 8-bit pixels."""

    name = "zoo"

    def __init__(self, network, source, pixels):
        self.model = network.build()
        self.model.compile(keras.optimizers.Adam(LEARNING_RATE), jit_compile="auto")
        self.settings = "XLA" if self.model.jit_compile else "no XLA"
        self.source = source

    def epoch(self):
        return self.model.fit(self.source, batch_size=BATCH_SIZE, verbose=0).history["loss"][-1]


class KerasFit(Competitor):
    """`fit` of a plain functional `keras.Model` of the same layers on float32 arrays: none of zoo's code runs."""

    name = "Keras fit"
    compile_arguments: Mapping = types.MappingProxyType({})  # Keras' defaults

    def __init__(self, network, source, pixels):
        parts = network.build()
        image = keras.Input(network.shape)
        x = keras.layers.GaussianNoise(network.noise)(image) if network.noise else image
        self.model = keras.Model(image, parts.decoder(parts.encoder(x)))
        self.model.compile(keras.optimizers.Adam(LEARNING_RATE), "mse", **self.compile_arguments)
        self.settings = "XLA" if self.model.jit_compile else "no XLA"
        self.pixels = pixels

    def epoch(self):
        return self.model.fit(self.pixels, self.pixels, batch_size=BATCH_SIZE, verbose=0).history["loss"][-1]


class KerasXLA(KerasFit):
    """The same with XLA; what the time to the first step is compared with."""

    name = "Keras fit, XLA"
    compile_arguments = types.MappingProxyType({"jit_compile": True})


class KerasXLASteps(KerasFit):
    """The same with XLA and many steps per call: the fastest that Keras offers."""

    name = "Keras fit, XLA, steps_per_execution=64"
    compile_arguments = types.MappingProxyType({"jit_compile": True, "steps_per_execution": 64})


EVERY = (Zoo, KerasFit, KerasXLASteps)  # in the order of the tables


def further(module):
    """The tuple ``COMPETITORS`` of an importable module, subclasses of `Competitor`.

    Raises:
        UnknownNameError: no such module, or one without competitors.
    """
    try:
        return tuple(importlib.import_module(module).COMPETITORS)
    except (ImportError, AttributeError, TypeError, ValueError) as error:  # the last two: no name of a module
        raise UnknownNameError(
            f"{module!r} is no importable module with a tuple COMPETITORS of zoo.benchmark.competitors.Competitor:"
            f" {error}."
        ) from error
