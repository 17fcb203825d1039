"""Builders of TensorFlow Datasets for signals and tables; all facts about them are in `zoo.data.datasets`."""
