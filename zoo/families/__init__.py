"""The families of autoencoders. Each is one function that returns an `Autoencoder`, in a file of its own."""

from zoo.families.registry import from_config, list_families

__all__ = ["from_config", "list_families"]
