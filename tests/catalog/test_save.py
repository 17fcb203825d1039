import json

import numpy as np
import pytest

import zoo
from tests.base import ZooTest, resealed
from zoo.catalog.card import Dataset, Settings
from zoo.core.errors import ConfigError, IntegrityError, OutputError, UnknownNameError

MODELS = {
    "feed_forward": lambda: zoo.feed_forward((8, 8, 1), 4, (12,), batch_normalization=True),
    "tied": lambda: zoo.feed_forward((8, 8, 1), 4, (12,), tied_weights=True),
    "convolutional": lambda: zoo.convolutional((8, 8, 1), 4, (3, 5), batch_normalization=True),
    "spatial": lambda: zoo.convolutional((8, 8, 1), None, (3,)),
    "denoising": lambda: zoo.denoising(
        zoo.feed_forward((8, 8, 1), 4), [zoo.corruption.Affine(10), zoo.corruption.Masking(0.2)]
    ),
    "sparse": lambda: zoo.sparse(zoo.convolutional((8, 8, 1), 9, (3,)), zoo.sparsity.TopK(3)),
    "both": lambda: zoo.denoising(
        zoo.sparse(zoo.feed_forward((8, 8, 1), 9), zoo.sparsity.L1(0.1)), zoo.corruption.Gaussian(0.1)
    ),
}


@pytest.fixture
def saved(tmp_path):
    zoo.save(zoo.feed_forward((8, 8, 1), 4), tmp_path / "set")
    return tmp_path / "set"


class TestSave(ZooTest):
    @pytest.mark.parametrize("name", MODELS)
    def test_round_trip(self, name, tmp_path, digits):
        model = MODELS[name]()
        model.fit(digits.samples[:64], verbose=0)
        self.run_save_test(model, tmp_path / "set", digits.samples[:20])

    def test_the_optimizer_is_not_in_the_file_and_equal_models_give_equal_files(self, tmp_path, digits):
        model = zoo.feed_forward((8, 8, 1), 4)
        untrained = zoo.save(model, tmp_path / "a")
        model.compile("adam")
        model.optimizer.build(model.trainable_variables)
        assert zoo.save(model, tmp_path / "b").sha256 == untrained.sha256

    def test_metadata(self, tmp_path):
        model = zoo.feed_forward((8, 8, 1), 4)
        zoo.save(model, tmp_path / "set", name="other", description="Mine.", license="MIT", metrics={"mse": 0.5})
        card = zoo.card(tmp_path / "set")
        assert (card.name, card.description, card.license, card.metrics) == ("other", "Mine.", "MIT", {"mse": 0.5})
        assert "Mine." in (tmp_path / "set" / "README.md").read_text()
        with pytest.raises(UnknownNameError, match="Unknown metadata key 'descripton'. Did you mean 'description'"):
            zoo.save(model, tmp_path / "set", descripton="")

    def test_sections_of_a_card(self, tmp_path):
        model, directory = zoo.feed_forward((8, 8, 1), 4), tmp_path / "set"
        metrics = {"mse": np.float32(0.5), "psnr": 20}
        card = zoo.save(model, directory, dataset={"name": "mine"}, recipe=Settings(epochs=3), metrics=metrics)
        assert zoo.card(directory) == card
        assert (card.dataset, card.recipe, card.metrics) == (
            Dataset("mine"), Settings(epochs=3), {"mse": 0.5, "psnr": 20.0},
        )  # fmt: skip
        stored = json.loads((directory / "metadata.json").read_text())
        assert (stored["dataset"], stored["recipe"]) == ({"name": "mine"}, {"epochs": 3})
        assert (stored["reproduction"], stored["quantization"]) == ({}, {})
        text = (directory / "README.md").read_text()
        assert "| Trained on | mine |" in text
        assert "| Recipe | epochs 3 |" in text

    @pytest.mark.parametrize(
        ("metadata", "error", "message"),
        [
            (
                {"dataset": {"nmae": "mine"}},
                UnknownNameError,
                "key in dataset of the metadata: 'nmae'. Did you mean",
            ),
            ({"dataset": "mnist"}, ConfigError, "dataset of the metadata must be a table with the keys .*'mnist'"),
            ({"recipe": {"epochs": "3"}}, ConfigError, "epochs in recipe of the metadata must be int.*Received: '3'"),
            ({"metrics": {"mse": "low"}}, ConfigError, "metrics.mse in the metadata must be float. Received: 'low'"),
            ({"version": 0}, ConfigError, "version in the metadata must be int >= 1. Received: 0"),
            ({"license": None}, ConfigError, "license in the metadata must be str. Received: None"),
            ({"description": object}, ConfigError, "must be text, numbers, lists and dictionaries. Received: <class"),
        ],
    )
    def test_metadata_of_the_wrong_type(self, tmp_path, metadata, error, message):
        with pytest.raises(error, match=message):
            zoo.save(zoo.feed_forward((8, 8, 1), 4), tmp_path / "set", **metadata)
        assert not (tmp_path / "set").exists()

    def test_the_card_says_how_large_maps_are_read(self, tmp_path):
        zoo.save(zoo.convolutional((16, 16, 1), None, (8,), strides=1), tmp_path / "maps")
        text = (tmp_path / "maps" / "README.md").read_text()
        assert "| Latent features | 16 × 16 × 8; metrics of features read 32: the mean of each map" in text
        zoo.save(zoo.convolutional((8, 8, 1), None, (8,), strides=1), tmp_path / "few")
        assert "| Latent features | 8 × 8 × 8 |" in (tmp_path / "few" / "README.md").read_text()

    def test_an_interrupted_save_keeps_the_previous_set(self, saved, monkeypatch):
        before = zoo.load(saved).get_weights()
        monkeypatch.setattr("zoo.catalog.save.readme", lambda card, picture: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            zoo.save(zoo.feed_forward((8, 8, 1), 4), saved)
        after = zoo.load(saved).get_weights()
        assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
        assert not list(saved.glob(".zoo-*"))

    def test_errors(self, tmp_path, saved):
        with pytest.raises(ConfigError, match="zoo.save writes Autoencoders.*Received: Encoder"):
            zoo.save(zoo.load(saved).encoder, tmp_path / "encoder")
        (tmp_path / "file").write_text("")
        with pytest.raises(OutputError, match="Cannot write to"):
            zoo.save(zoo.load(saved), tmp_path / "file" / "set")


class TestIntegrity:
    def _spoil(self, saved, change):
        path = saved / "model.weights.h5"
        path.write_bytes(change(path.read_bytes()))

    def test_truncated(self, saved):
        self._spoil(saved, lambda content: content[:-1])
        with pytest.raises(IntegrityError, match="weights.h5 in '.*set' was changed .*: expected .* bytes, received"):
            zoo.load(saved)

    def test_one_changed_bit(self, saved):
        self._spoil(saved, lambda content: content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(IntegrityError, match="weights.h5 in '.*set' was changed .*: expected SHA-256"):
            zoo.load_encoder(saved)

    def test_missing_weights(self, saved):
        (saved / "model.weights.h5").unlink()
        with pytest.raises(IntegrityError, match="incomplete: model.weights.h5 is missing"):
            zoo.load(saved)
        assert zoo.load(saved, weights=False).latent_shape == (4,)

    def test_missing_or_damaged_metadata(self, saved):
        (saved / "config.json").unlink()
        with pytest.raises(IntegrityError, match="incomplete: config.json is missing"):
            zoo.load(saved)
        (saved / "config.json").write_text("{")
        with pytest.raises(IntegrityError, match="config.json in '.*set' was changed or damaged"):
            zoo.load(saved)
        resealed(saved)
        with pytest.raises(IntegrityError, match="damaged metadata.json or config.json"):
            zoo.load(saved)

    def test_metadata_of_the_wrong_type_names_its_key(self, saved):
        metadata = json.loads((saved / "metadata.json").read_text())
        for changes, message in (
            ({"parameters": "580"}, "parameters in metadata.json must be int. Received: '580'"),
            (
                {"input": {**metadata["input"], "shape": [8, 0]}},
                r"shape\[1\] in input of metadata.json must be int >=",
            ),
            ({"sha": ""}, "Unknown key in metadata.json: 'sha'. Did you mean 'sha256'"),
        ):
            (saved / "metadata.json").write_text(json.dumps({**metadata, **changes}))
            resealed(saved)
            with pytest.raises(IntegrityError, match=message):
                zoo.card(saved)

    @pytest.mark.parametrize(
        ("changes", "error", "message"),
        [
            (
                {"latent_dim": 5},
                IntegrityError,
                "do not fit its config.json: the config describes 709 parameters, the weights are 580",
            ),
            (
                {"input_shape": [64], "latent_dim": 4, "hidden_units": [], "tied_weights": True},
                IntegrityError,
                "do not fit its config.json",
            ),
            ({"family": "feedforward"}, UnknownNameError, "Unknown family 'feedforward'. Did you mean 'feed_forward'"),
            (
                {"latentdim": 4},
                UnknownNameError,
                "Unknown key in the config of family 'feed_forward' 'latentdim'. Did you mean 'latent_dim'",
            ),
            ({"latent_dim": -1}, ConfigError, "latent_dim must be a whole number"),
        ],
    )
    def test_config_that_does_not_fit(self, saved, changes, error, message):
        config = json.loads((saved / "config.json").read_text())
        (saved / "config.json").write_text(json.dumps({**config, **changes}))
        resealed(saved)
        with pytest.raises(error, match=message):
            zoo.load(saved)

    def test_weights_of_another_network_with_a_forged_parameter_count(self, saved):
        """The count in the metadata agrees with the config, so only loading itself can find the misfit."""
        metadata = json.loads((saved / "metadata.json").read_text())
        deep = zoo.feed_forward((8, 8, 1), 2, (2,))
        metadata["parameters"] = deep.count_params()
        (saved / "metadata.json").write_text(json.dumps(metadata))
        (saved / "config.json").write_text(json.dumps(deep.get_config()))
        resealed(saved)
        with pytest.raises(IntegrityError, match="do not fit its config.json"):
            zoo.load(saved)
