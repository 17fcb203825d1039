"""What a good model is, written once. A test of a family, set or export declares its numbers and calls a verb."""

import dataclasses
import json

import keras
import numpy as np

import zoo
from zoo.catalog import golden
from zoo.catalog.lookup import catalog_directory
from zoo.catalog.readme import readme as card_text
from zoo.core import files, manifest
from zoo.exporting.formats import FORMATS
from zoo.families.preprocessed import needs_fitting
from zoo.recipes.recipe import read_recipe


def only_error(result):
    """The one line that a command of exit code 2 tells, of a click result."""
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    return line


def _is_part(part, whole):
    """Whether a config says what another one says, but for what a training adds to it."""
    if isinstance(part, dict):
        return all(key in whole and _is_part(value, whole[key]) for key, value in part.items())
    if isinstance(part, list):
        return len(part) == len(whole) and all(map(_is_part, part, whole))
    return part == whole


def resealed(directory):
    """Let the manifest of a directory list its files as they are now: as if somebody had made them so on purpose."""
    listed = manifest.entries(directory)
    present = {name: manifest.entry((directory / name).read_bytes()) for name in listed if (directory / name).exists()}
    (directory / manifest.MANIFEST).write_text(manifest.written(present))


class ZooTest:
    """Base class of all model tests."""

    def run_builder_test(self, build, *, input_shape, latent_shape, parameters, trainable=None, xla=True):
        """A builder's model has these shapes and sizes, survives JSON and a weight file, and learns.

        Args:
            build: function without arguments that returns an Autoencoder.
            input_shape, latent_shape: expected shapes of one sample.
            parameters: expected number of parameters.
            trainable: expected number of trainable ones, if fewer.
            xla: whether it must be compiled by XLA.
        """
        keras.utils.set_random_seed(0)
        model = build()
        x = zoo.data.samples_like(input_shape, 64)
        assert model.input_shape == input_shape
        assert model.latent_shape == latent_shape
        assert model.count_params() == parameters
        assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == (trainable or parameters)
        assert isinstance(model.encoder, keras.Model)
        assert isinstance(model.decoder, keras.Model)

        # Encoder, decoder and the whole model are one set of weights, and no corruption acts outside training.
        latent = model.encode(x)
        assert latent.shape == (64, *latent_shape)
        reconstruction = model.reconstruct(x)
        assert reconstruction.shape == x.shape
        np.testing.assert_array_equal(model.decode(latent), reconstruction)
        np.testing.assert_allclose(model(x, training=False), reconstruction, atol=1e-6)
        np.testing.assert_allclose(
            model.reconstruction_error(x), np.mean((reconstruction - x).reshape(64, -1) ** 2, axis=1), rtol=1e-5
        )

        # The loss is the mean over every element, plus the sparsity penalty.
        penalty = 0.0 if model.sparsity is None else model.sparsity.penalty(latent)
        expected = np.mean((reconstruction - x) ** 2) + float(0.0 if penalty is None else penalty)
        np.testing.assert_allclose(model.evaluate(x, batch_size=64, verbose=0), expected, rtol=1e-5)

        # Learning lowers the loss and moves both halves.
        before = [w.numpy() for w in model.trainable_weights]
        model.compile(keras.optimizers.Adam(2e-3))
        assert model.jit_compile is xla
        history = model.fit(x, epochs=6, batch_size=16, verbose=0).history["loss"]
        assert np.isfinite(history).all()
        assert history[-1] < history[0]
        moved = [np.abs(w.numpy() - b).max() > 0 for w, b in zip(model.trainable_weights, before, strict=True)]
        assert all(moved), [w.path for w, m in zip(model.trainable_weights, moved, strict=True) if not m]
        self.run_round_trip_test(model, x)

    def run_round_trip_test(self, model, x):
        """JSON config and weights rebuild the model to the last bit."""
        config = json.loads(json.dumps(model.get_config()))
        rebuilt = zoo.from_config(config)
        assert rebuilt.get_config() == config
        assert not np.array_equal(rebuilt.reconstruct(x), model.reconstruct(x)), "fresh weights reconstruct the same"
        rebuilt.set_weights(model.get_weights())
        np.testing.assert_array_equal(rebuilt.reconstruct(x), model.reconstruct(x))
        np.testing.assert_array_equal(rebuilt.encode(x), model.encode(x))

    def run_save_test(self, model, directory, x):
        """`zoo.save` and `zoo.load` bring the same model back, and state the truth about its file."""
        card = zoo.save(model, directory, description="a test")
        assert zoo.card(directory) == card
        assert card.parameters == model.count_params()
        assert card.size_bytes == (directory / "model.weights.h5").stat().st_size
        assert card.sha256 == files.sha256(directory / "model.weights.h5")
        loaded = zoo.load(directory)
        assert loaded.get_config() == model.get_config()
        np.testing.assert_array_equal(loaded.reconstruct(x), model.reconstruct(x))
        np.testing.assert_array_equal(loaded.encode(x), model.encode(x))

    def run_pretrained_test(self, name, *, dataset=None):
        """A pretrained set is complete, its card is true, and its numbers can be recomputed (with `dataset`)."""
        card = zoo.card(name)
        directory = catalog_directory() / name
        assert card.name == name
        stored = ("config.json", "metadata.json", "model.weights.h5", "README.md", "golden.npz", "card.png")
        for file in ("recipe.toml", *stored):
            assert (directory / file).is_file(), f"{name} lacks {file}"
        assert (directory / "model.weights.h5").stat().st_size == card.size_bytes
        assert files.sha256(directory / "model.weights.h5") == card.sha256
        assert card.license in ("Apache-2.0", "ODC-By-1.0", "CC-BY-SA-4.0")
        assert card.description
        assert card.recipe.seed is not None
        assert card.reproduction.command == f"zoo train {name}"
        model = zoo.load(name)
        assert model.count_params() == card.parameters
        assert model.input_shape == card.input.shape
        assert model.latent_shape == card.input.latent_shape
        readme = (directory / "README.md").read_text(encoding="utf-8")
        assert readme == card_text(card, picture="card.png")
        for stated in (card.sha256, f"{card.parameters:,}", f"{card.metrics['mse']:.5f}", card.reproduction.command):
            assert stated in readme
        assert golden.check((directory / "golden.npz").read_bytes(), model, name) <= golden.TOLERANCE * 100
        if card.history:  # not kept by the first version
            assert len(card.history["loss"]) == card.recipe.epochs
        recipe = read_recipe(directory)
        assert recipe.version == card.version
        assert recipe.description == card.description
        assert card.to_dict()["recipe"].items() <= dataclasses.asdict(recipe.training).items()
        # Built again: a family may have got arguments, with defaults, since the set was made.
        if needs_fitting(recipe.model) or model.threshold is not None:
            assert _is_part(recipe.model, card.config)
        else:
            assert zoo.from_config(recipe.model).get_config() == model.get_config()
        if dataset is not None:
            self._recompute(model, card, dataset)

    def _recompute(self, model, card, dataset):
        """The card's test MSE and kNN accuracy, by plain Keras and scikit-learn rather than by zoo's own code."""
        from sklearn.neighbors import KNeighborsClassifier

        train, test = (zoo.data.load(dataset, split) for split in ("train", "test"))
        x = test.samples.astype("float32") / 255
        error = keras.losses.MeanSquaredError()(x, model.predict(x, batch_size=500, verbose=0))
        np.testing.assert_allclose(float(error), card.metrics["mse"], rtol=1e-3)
        latent = [
            model.encoder.predict(s.samples.astype("float32") / 255, batch_size=500, verbose=0) for s in (train, test)
        ]
        accuracy = KNeighborsClassifier(7).fit(latent[0], train.labels).score(latent[1], test.labels)
        assert abs(accuracy - card.metrics["knn_accuracy"]) <= 0.002

    def run_export_test(self, model, directory, x, references, *, tolerance=1e-5):
        """Every signature of every exported file, run here in its own runtime on all of `x`, gives what Keras gives.

        Args:
            model: what to export.
            directory: where to.
            x: samples, float32 ("decode" beside "encode" gets the reference of "encode").
            references: dict of signature name to (output name, Keras' outputs for `x`), the default one first.
            tolerance: largest absolute difference.
        """
        report = zoo.export(model, directory, samples=x[:32])
        assert set(report.files) == {"saved_model", "tflite", "onnx"}
        stored = json.loads((directory / "report.json").read_text())
        assert sorted(p.name for p in directory.iterdir()) == [
            "manifest.json",
            "model.onnx",
            "model.tflite",
            "report.json",
            "saved_model",
        ]
        listed = {"model.onnx", "model.tflite", "report.json", "saved_model/saved_model.pb"}
        assert listed < set(manifest.check(directory))
        for name, file in report.files.items():
            path = directory / file.file
            opened = FORMATS[name].open(path)
            expected = {s: r for s, r in references.items() if name != "onnx" or s != "decode" or len(references) == 1}
            assert next(iter(opened.signatures)) == next(iter(expected))
            assert set(opened.signatures) == set(expected) == set(file.signatures)
            for signature, (output_name, reference) in expected.items():
                assert opened.signatures[signature].output_name == output_name
                inputs = references["encode"][1] if signature == "decode" and "encode" in references else x
                outputs = opened.run(signature, inputs)
                assert outputs.dtype == np.float32
                np.testing.assert_allclose(outputs, reference, rtol=0, atol=tolerance, err_msg=f"{name}, {signature}")
                assert file.signatures[signature].max_difference <= file.signatures[signature].tolerance
                assert 0 <= file.signatures[signature].mean_difference <= file.signatures[signature].max_difference
            assert file.size_bytes == files.size_bytes(path)
            assert stored["files"][name]["sha256"] == files.sha256(path) == file.sha256
            assert file.operators
            assert not any("Flex" in operator for operator in file.operators)
        assert FORMATS["tflite"].open(directory / "model.tflite").signatures[next(iter(references))].batch_size == 1
        return report

    @staticmethod
    def verbs(model, x):
        """The references of an Autoencoder's signatures for `run_export_test`, by the model's own methods."""
        reconstruction = model.reconstruct(x)
        return {
            "reconstruct": ("reconstruction", reconstruction),
            "encode": ("latent", model.encode(x)),
            "decode": ("reconstruction", reconstruction),
            "score": ("score", model.reconstruction_error(x)),
        }
