"""Streams: datasets larger than memory, trained in the same chunks as resident ones."""

import subprocess
import sys

import keras
import numpy as np
import psutil
import pytest
from PIL import Image

import zoo
from zoo.core.errors import DataError
from zoo.engine.streaming import StreamChunks
from zoo.engine.tensorflow import ChunkState


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """203 digits as train/<class>/*.png, lossless."""
    root = tmp_path_factory.mktemp("folder")
    source = zoo.data.load("digits", "all")
    for i in range(203):
        path = root / "train" / str(source.labels[i]) / f"{i:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.rint(source.samples[i, ..., 0] * 255).astype("uint8")).save(path)
    return root


@pytest.fixture
def pair(folder):
    """The same folder as a stream and in memory."""
    return [zoo.data.load(folder, "train", shape=(8, 8, 1), stream=stream) for stream in (True, False)]


def _model(**arguments):
    keras.utils.set_random_seed(0)
    model = zoo.feed_forward((8, 8, 1), 4)
    model.compile(metrics=["mae"], **arguments)
    return model


class TestStream:
    def test_is_the_same_dataset(self, pair):
        stream, source = pair
        assert len(stream) == len(source) == 203
        assert stream.shape == source.shape == (8, 8, 1)
        assert np.array_equal(np.stack(list(stream.dataset().as_numpy_iterator())), source.samples)
        head = stream.head(10)
        assert np.array_equal(head.samples, source.samples[:10])
        assert np.array_equal(head.labels, source.labels[:10])
        assert head.class_names == source.class_names == tuple(map(str, range(10)))

    def test_order_follows_from_the_seed(self, pair):
        def shuffled(seed):
            return np.stack(list(pair[0].dataset(seed).as_numpy_iterator()))

        assert np.array_equal(shuffled(1), shuffled(1))
        assert not np.array_equal(shuffled(1), shuffled(2))
        # Every image exactly once.
        rows = [sorted(map(bytes, images)) for images in (shuffled(1), pair[1].samples)]
        assert rows[0] == rows[1]

    def test_part(self, pair):
        stream, source = pair
        part = stream.part(50, 80)
        assert len(part) == 30
        assert np.array_equal(np.stack(list(part.dataset().as_numpy_iterator())), source.samples[50:80])

    def test_automatic_choice_goes_by_the_free_memory(self, folder, monkeypatch):
        def kind():
            return type(zoo.data.load(folder, "train", shape=(8, 8, 1), stream="auto")).__name__

        assert kind() == "Source"
        memory = psutil.virtual_memory()
        monkeypatch.setattr(psutil, "virtual_memory", lambda: memory._replace(available=4 * 203 * 64 - 1))
        assert kind() == "Stream"
        monkeypatch.setattr(psutil, "virtual_memory", lambda: memory._replace(available=4 * 203 * 64))
        assert kind() == "Source"

    def test_needs_one_size(self, folder):
        with pytest.raises(DataError, match="may differ in size: pass shape="):
            zoo.data.load(folder, "train", stream=True)


class TestFit:
    @pytest.mark.parametrize("steps", ["auto", 1, 2, 3])
    def test_losses_equal_the_resident_ones(self, pair, steps):
        """203 samples in batches of 32: six whole steps and a short one, in chunks that do not divide them."""
        arguments = {"batch_size": 32, "epochs": 2, "shuffle": False, "verbose": 0}
        streamed, resident = (
            _model(steps_per_execution=steps).fit(data, validation_data=data, **arguments).history for data in pair
        )
        for name in resident:  # XLA rounds a chunk of one step otherwise than one of seven
            np.testing.assert_allclose(streamed[name], resident[name], rtol=1e-6)
        assert set(resident) == set(streamed) == {"loss", "mae", "val_loss", "val_mae"}

    def test_shuffles_anew_and_reproducibly(self, pair):
        stream, _ = pair
        np.random.seed(5)
        chunks = StreamChunks(ChunkState(), stream, batch_size=203, length=1, shuffle=True)

        def epoch(number):
            chunks.begin(number)
            (chunk,) = chunks.dataset.take(1).as_numpy_iterator()
            return chunk["data"]["pixels"]

        assert np.array_equal(epoch(0), epoch(0))
        assert not np.array_equal(epoch(0), epoch(1))
        assert sorted(map(bytes, epoch(0))) == sorted(map(bytes, epoch(1)))

    def test_without_chunks_it_goes_through_keras(self, pair):
        arguments = {"batch_size": 32, "shuffle": False, "verbose": 0}
        chunks = _model().fit(pair[0], **arguments).history["loss"]
        eager = _model(run_eagerly=True, jit_compile=False).fit(pair[0], **arguments).history["loss"]
        np.testing.assert_allclose(eager, chunks, rtol=1e-5)

    def test_evaluate(self, pair):
        model = _model()
        np.testing.assert_allclose(model.evaluate(pair[0], verbose=0), model.evaluate(pair[1], verbose=0), rtol=1e-6)

    def test_validation_split(self, pair):
        arguments = {"batch_size": 32, "shuffle": False, "verbose": 0, "validation_split": 0.25}
        streamed, resident = (_model().fit(data, **arguments).history for data in pair)
        np.testing.assert_allclose(streamed["val_loss"], resident["val_loss"], rtol=1e-6)

    def test_a_classifier_needs_labels(self, pair):
        classifier = zoo.classifier(_model().encoder, 10)
        with pytest.raises(DataError, match="samples without labels: pass a Source"):
            classifier.fit(pair[0])

    def test_wrong_shape(self, folder):
        stream = zoo.data.load(folder, "train", shape=(9, 8, 1), stream=True)
        with pytest.raises(DataError, match=r"expected \(samples, 8, 8, 1\). Received \(203, 9, 8, 1\)"):
            _model().fit(stream)


class TestTraining:
    RECIPE = """
description = "A test of streaming."
dataset = "{folder}"
[model]
family = "feed_forward"
input_shape = [8, 8, 1]
latent_dim = 4
[training]
epochs = 3
batch_size = 32
validation_split = 0.2
jit_compile = false
"""

    def test_says_how_it_holds_the_samples_and_goes_on_exactly(self, folder, tmp_path, monkeypatch, capsys):
        from zoo.recipes import checkpoint

        path = tmp_path / "set" / "recipe.toml"
        path.parent.mkdir()
        path.write_text(self.RECIPE.format(folder=folder))
        zoo.train(path, tmp_path / "resident", verbose=2)
        assert "162 samples of shape (8, 8, 1), 0 MB: kept in memory" in capsys.readouterr().err
        zoo.train(path, tmp_path / "whole", stream=True, verbose=2)
        assert "162 samples of shape (8, 8, 1), 0 MB: streamed" in capsys.readouterr().err
        monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 0)
        monkeypatch.setattr("zoo.engine.steps._WORK_PER_CHUNK", 1e5)
        original, saved = checkpoint.Checkpoint._save, []

        def interrupt(self, epoch, step):
            original(self, epoch, step)
            saved.append((epoch, step))
            if epoch == 1 and step:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(checkpoint.Checkpoint, "_save", interrupt)
            with pytest.raises(KeyboardInterrupt):
                zoo.train(path, tmp_path / "parts", stream=True, verbose=0)
        assert saved[-1][1] > 0
        zoo.train(path, tmp_path / "parts", stream=True, verbose=0)
        weights = [(tmp_path / name / "model.weights.h5").read_bytes() for name in ("whole", "parts", "resident")]
        assert weights[0] == weights[1]
        assert weights[0] != weights[2]  # another order


_MEMORY = """
import resource, sys
import keras, numpy as np, tensorflow as tf, zoo
from zoo.data.tfds import TFDSImages

def batches(samples):
    for i in range(samples // 500):
        yield np.full((500, 3072), (i % 7) / 7, "float32")

kind, samples = sys.argv[1], int(sys.argv[2])
model = zoo.feed_forward((3072,), 4)
if kind == "dataset":
    data = tf.data.Dataset.from_generator(
        lambda: batches(samples), output_signature=tf.TensorSpec((None, 3072), "float32")
    )
    model.fit(data, verbose=0)
elif kind == "generator":
    model.fit(batches(samples), steps_per_epoch=samples // 500, verbose=0)
else:
    examples = tf.data.Dataset.range(samples).map(
        lambda i: {"image": tf.fill((32, 32, 3), tf.cast(i % 251, tf.uint8))}
    )
    model = zoo.feed_forward((32, 32, 3), 4)
    stream = zoo.data.Stream(TFDSImages(examples, samples), (32, 32, 3))
    model.fit(stream, batch_size=500, verbose=0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.parametrize("kind", ["stream", "dataset", "generator"])
def test_memory_stays_flat(kind):
    """Ten times the samples (4 GB as float32, 1 GB as pixels) take at most a tenth more memory.

    The smaller run is itself longer than every buffer, which hold 64 MB and a few chunks.
    """
    sizes = (33_000, 330_000)
    command = [sys.executable, "-c", _MEMORY, kind]
    once, tenfold = (int(subprocess.check_output([*command, str(size)], stderr=subprocess.DEVNULL)) for size in sizes)
    assert tenfold < 1.1 * once
