import dataclasses
import os
import time

import pytest

import zoo
from zoo.catalog.card import Dataset, Settings
from zoo.catalog.lookup import catalog_directory
from zoo.core import manifest
from zoo.core.errors import ConfigError, DataNotFoundError, OutputError, UnknownNameError
from zoo.recipes.recipe import Training, read_recipe

RECIPE = """
description = "A test on the embedded digits."
dataset = "digits"

[model]
family = "feed_forward"
input_shape = [8, 8, 1]
latent_dim = 4

[training]
epochs = 3
batch_size = 100
schedule = "cosine"
seed = 7
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "digits-feed-forward-4" / "recipe.toml"
    path.parent.mkdir()
    path.write_text(RECIPE)
    return path


class TestReading:
    def test_values_and_defaults(self, recipe):
        parsed = read_recipe(recipe.parent)
        assert parsed.name == "digits-feed-forward-4"
        assert parsed.model == {"family": "feed_forward", "input_shape": [8, 8, 1], "latent_dim": 4}
        assert (parsed.training.epochs, parsed.training.batch_size, parsed.training.seed) == (3, 100, 7)
        assert (parsed.training.learning_rate, parsed.training.loss, parsed.license) == (1e-3, "mse", "Apache-2.0")

    def test_the_word_none_is_a_value_in_the_model_only(self, recipe):
        text = RECIPE.replace('dataset = "digits"', 'dataset = "digits"\ndataset_title = "none"')
        recipe.write_text(text.replace("latent_dim = 4", 'latent_dim = "none"'))
        parsed = read_recipe(recipe)
        assert (parsed.dataset_title, parsed.model["latent_dim"]) == ("none", None)

    def test_version_title_and_none(self, recipe):
        text = RECIPE.replace('dataset = "digits"', 'dataset = "digits"\ndataset_title = "Digits"\nversion = 2')
        recipe.write_text(text.replace("latent_dim = 4", 'latent_dim = "none"'))
        parsed = read_recipe(recipe)
        assert (parsed.version, parsed.dataset_title, parsed.model["latent_dim"]) == (2, "Digits", None)

    @pytest.mark.parametrize(
        ("old", "new", "error", "message"),
        [
            (
                "batch_size",
                "batchsize",
                UnknownNameError,
                r"Unknown key in training of .*'batchsize'. Did you mean 'batch_size'",
            ),
            ("dataset", "data", UnknownNameError, "'data'. Did you mean 'dataset'"),
            ('dataset = "digits"', "", ConfigError, "lacks 'dataset'. Received keys"),
            ("epochs = 3", "", ConfigError, "training of .* lacks 'epochs'"),
            ("epochs = 3", "epochs = 0", ConfigError, "epochs in training of .* must be int >= 1. Received: 0"),
            ("seed = 7", 'seed = "a"', ConfigError, "seed in training of .* must be int. Received: 'a'"),
            ("seed = 7", "seed = -1", ConfigError, "seed in training of .* must be int >= 0. Received: -1"),
            ("seed = 7", "patience = -3", ConfigError, "patience in training of .* must be int >= 0. Received: -3"),
            ("seed = 7", "loss = 3", ConfigError, "loss in training of .* must be str. Received: 3"),
            ("seed = 7", "learning_rate = 0", ConfigError, "learning_rate in .* must be float > 0.0. Received: 0"),
            ("seed = 7", "validation_split = 1.0", ConfigError, "validation_split in .* must be float < 1.0"),
            (
                "seed = 7",
                'normalize_latent = "no"',
                ConfigError,
                "normalize_latent in training of .* must be bool. Received: 'no'",
            ),
            (
                "dataset =",
                'version = "two"\ndataset =',
                ConfigError,
                "version in .* must be int. Received: 'two'",
            ),
            (
                "dataset =",
                "version = 0\ndataset =",
                ConfigError,
                "version in .* must be int >= 1. Received: 0",
            ),
            ("dataset =", "license = 2\ndataset =", ConfigError, "license in .*recipe.toml' must be str. Received: 2"),
            ('dataset = "digits"', "dataset = []", ConfigError, "dataset in .*recipe.toml' must be str. Received: "),
            ("[training]", "[trainig]", UnknownNameError, "'trainig'. Did you mean 'training'"),
            ('"cosine"', '"cosinus"', UnknownNameError, "Unknown schedule 'cosinus'. Did you mean 'cosine'"),
            ("epochs = 3", "epochs = ", ConfigError, "is not valid TOML"),
            ("epochs = 3", "epochs = 3\npatience = 2", ConfigError, "patience watches the validation loss: set valid"),
            (
                "epochs = 3",
                'epochs = 3\njit_compile = "no"',
                ConfigError,
                "jit_compile in .* must be bool or 'auto'",
            ),
        ],
    )
    def test_bad_recipes(self, recipe, old, new, error, message):
        recipe.write_text(RECIPE.replace(old, new, 1))
        with pytest.raises(error, match=message):
            read_recipe(recipe)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"\xff\xfea", "is not valid TOML: 'utf-8' codec can't decode byte 0xff"),
            (b"a = " + b"[" * 5000, "is not valid TOML: it is nested too deeply"),
            (b"a = " + b"{a = " * 3000, "is not valid TOML: it is nested too deeply"),
            (b"a = " + b"9" * 5000, "is not valid TOML: Exceeds the limit"),
            (b"a." * 8000 + b"a = 1", "is nested too deeply: expected at most 32 levels"),
            (b"[" + b"a." * 8000 + b"a]", "is nested too deeply: expected at most 32 levels"),
            (b"#" * 16_385, "recipe.toml' is too large: expected at most 16,384 bytes. Received 16,385"),
            (b"", r"lacks 'description', 'dataset', 'model', 'training'"),
        ],
    )
    def test_files_that_are_no_recipes(self, recipe, content, message):
        recipe.write_bytes(content)
        begin = time.process_time()
        with pytest.raises(ConfigError, match=message) as caught:
            read_recipe(recipe)
        assert time.process_time() - begin < 10
        assert "recipe.toml'" in str(caught.value)
        assert len(str(caught.value)) < 600

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ("2026-11-25", "must be text, a number, a list or a table. Received a date"),
            ("2026-11-25T10:00:00Z", "must be text, a number, a list or a table. Received a datetime"),
            ("[1, 10:00:00]", "model.latent_dim.1 in .* must be text, a number, a list or a table. Received a time"),
            ("inf", "must be a finite number. Received: inf"),
            ("{a = nan}", "model.latent_dim.a in .* must be a finite number. Received: nan"),
            ("9223372036854775808", "must be a number of at most 64 bits"),
            ("-9223372036854775809", "must be a number of at most 64 bits"),
        ],
    )
    def test_values_that_json_has_not(self, recipe, value, message):
        recipe.write_text(RECIPE.replace("latent_dim = 4", f"latent_dim = {value}"))
        with pytest.raises(ConfigError, match=message) as caught:
            read_recipe(recipe)
        assert str(caught.value).startswith("model.latent_dim")

    def test_special_files(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.toml")
        (tmp_path / "folder.toml" / "recipe.toml").mkdir(parents=True)
        (tmp_path / "zero.toml").symlink_to("/dev/zero")
        (tmp_path / "loop.toml").symlink_to("loop.toml")
        for name, message in {
            "pipe": "Expected a regular file at '.*pipe.toml'. Received a named pipe",
            "folder": "Expected a regular file at '.*folder.toml/recipe.toml'. Received a folder",
            "zero": "Expected a regular file at '.*zero.toml'. Received a device",
            "loop": "loop.toml' is a symbolic link, or part of a loop of links",
        }.items():
            with pytest.raises(ConfigError, match=message):
                read_recipe(tmp_path / f"{name}.toml")
            with pytest.raises((ConfigError, DataNotFoundError), match=f"{name}.toml"):
                zoo.train(tmp_path / f"{name}.toml", tmp_path / "out")
        with pytest.raises(ConfigError, match="x' has a name that is too long"):
            read_recipe(tmp_path / ("x" * 300))
        with pytest.raises(ConfigError, match=r"a\\x00b' cannot be read: embedded null"):
            zoo.train("a\0b", tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_a_name_that_nothing_can_print(self, recipe):
        folder = recipe.parent.rename(recipe.parent.with_name("digits\udcff\n"))
        with pytest.raises(ConfigError, match=r"name in .* must be plain text: 'digits\\udcff\\n'"):
            read_recipe(folder)

    def test_every_recipe_of_the_catalog_is_read(self):
        recipes = sorted(catalog_directory().glob("*/recipe.toml"))
        assert len(recipes) >= 12
        for path in recipes:
            assert read_recipe(path).name == path.parent.name


def test_a_card_states_the_settings_that_a_recipe_has():
    settings = {field.name: None for field in dataclasses.fields(Settings)}
    assert dataclasses.asdict(Settings()) == settings
    assert list(settings) == [field.name for field in dataclasses.fields(Training)]


class TestTraining:
    def test_writes_a_whole_set(self, recipe, tmp_path, digits):
        output = tmp_path / "out"
        model = zoo.train(recipe, output, verbose=0)
        card = zoo.card(output)
        assert sorted(p.name for p in output.iterdir()) == [
            "README.md", "card.png", "config.json", "golden.npz", "manifest.json", "metadata.json", "model.weights.h5",
            "recipe.toml",
        ]  # fmt: skip
        assert sorted(manifest.check(output)) == [
            "README.md", "card.png", "config.json", "golden.npz", "metadata.json", "model.weights.h5", "recipe.toml",
        ]  # fmt: skip
        assert card.name == "digits-feed-forward-4"
        assert card.dataset == Dataset("digits", "digits", "scikit-learn", "train", 1438)
        assert card.recipe.epochs == 3
        test = zoo.data.load("digits", "test")
        loaded = zoo.load(output)
        assert (loaded.reconstruct(test) == model.reconstruct(test)).all()
        assert card.metrics["mse"] == pytest.approx(loaded.reconstruction_error(test).mean(), rel=1e-5)
        assert 0.12 < card.metrics["knn_accuracy"] < 1

    def test_each_split_is_read_once(self, recipe, tmp_path, monkeypatch):
        from zoo.data import digits

        read, original = [], digits.load_digits
        monkeypatch.setattr(digits, "load_digits", lambda split: read.append(split) or original(split))
        zoo.train(recipe, tmp_path / "out", verbose=0)
        assert read == ["train", "test"]

    def test_the_seed_decides(self, recipe, tmp_path):
        first, again = (zoo.train(recipe, tmp_path / name, verbose=0).get_weights() for name in "ab")
        assert all((a == b).all() for a, b in zip(first, again, strict=True))
        recipe.write_text(RECIPE.replace("seed = 7", "seed = 8"))
        assert not (zoo.train(recipe, tmp_path / "c", verbose=0).get_weights()[0] == first[0]).all()

    def test_errors(self, recipe, tmp_path):
        with pytest.raises(
            UnknownNameError, match="Unknown recipe 'mnist-feed-forwrd-8'. Did you mean 'mnist-feed-forward-8'"
        ):
            zoo.train("mnist-feed-forwrd-8", tmp_path / "out")
        with pytest.raises(DataNotFoundError, match="No recipe at"):
            zoo.train(tmp_path / "absent" / "recipe.toml", tmp_path / "out")
        (tmp_path / "file").write_text("")
        with pytest.raises(OutputError, match="Cannot write to .*Choose a directory"):
            zoo.train(recipe, tmp_path / "file" / "out")
        recipe.write_text(RECIPE.replace("epochs = 3", 'epochs = 3\nloss = "mze"'))
        with pytest.raises(UnknownNameError, match="Unknown loss 'mze'. Valid: 'binary_crossentropy'"):
            zoo.train(recipe, tmp_path / "out")
