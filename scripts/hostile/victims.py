"""What is damaged: small models of every family, some shipped ones, exported files, and what they compute."""

import pathlib
import shutil

import numpy as np

MODELS, EXPORTS = "models", "exports"
SHIPPED = (
    "mnist-feed-forward-8",
    "mnist-convolutional-8",
    "fashion-mnist-tied-feed-forward-32",
    "mnist-denoising-gaussian-dense-32",
    "cifar10-jpeg-sparse-l1-16384",
)
SAMPLES = "samples.npz"


def models():
    """Name to a small Autoencoder, all families and the kinds of layers that they are made of."""
    import keras
    from keras import layers

    import zoo

    def wrapped():
        image = keras.Input((6, 6, 1))
        x = layers.Conv2D(2, 3, padding="same", activation="relu")(image)
        x = layers.BatchNormalization()(x)
        latent = layers.Dense(3, name="latent")(layers.Flatten()(x))
        x = layers.Dense(36, activation="sigmoid")(layers.LeakyReLU()(latent))
        return zoo.wrap(keras.Model(image, layers.Reshape((6, 6, 1))(x)), "latent")

    def sequential():
        parts = [layers.Dense(3, activation="tanh", name="latent"), layers.Dropout(0.1), layers.Dense(5)]
        return zoo.wrap(keras.Sequential([keras.Input((5,)), *parts]), "latent")

    dense = zoo.feed_forward
    return {
        "dense": dense((4, 4, 1), 2, (3,)),
        "linear": dense((6,), 3, latent_activation="linear", output_activation="linear"),
        "tied": dense((6,), 3, (4,), tied_weights=True, batch_normalization=True),
        "convolutional": zoo.convolutional((6, 6, 1), 3, (2, 3), batch_normalization=True),
        "spatial": zoo.convolutional((8, 8, 2), None, (2,), tied_weights=True),
        "signal": zoo.convolutional((12, 2), 3, (2,), pooling=2),
        "denoising": zoo.denoising(dense((6,), 3), zoo.corruption.Gaussian(0.3)),
        "masking": zoo.denoising(
            zoo.convolutional((6, 6, 1), 2, (2,)), [zoo.corruption.Masking(0.3), zoo.corruption.Affine()]
        ),
        "topk": zoo.sparse(dense((6,), 8), zoo.sparsity.TopK(2)),
        "l1": zoo.sparse(zoo.denoising(dense((6,), 8), zoo.corruption.Gaussian(0.1)), zoo.sparsity.L1(1e-3)),
        "wrapped": wrapped(),
        "sequential": sequential(),
    }


def exports():
    """Name of a file to the model in it and the arguments of `zoo.export`."""
    import zoo

    dense = zoo.feed_forward((4, 4, 1), 2, (3,))
    convolutional = zoo.convolutional((8, 8, 1), 3, (2,))
    dense.set_weights([4 * weights for weights in dense.get_weights()])  # so that 8 bits tell their outputs apart
    images = np.random.default_rng(0).random((1_000, 4, 4, 1), "float32")
    return {
        "float32.tflite": (dense, {"threshold": 0.1}),
        "convolutional.tflite": (convolutional, {}),
        "int8.tflite": (dense, {"quantization": "int8", "calibration": images, "threshold": 0.1}),
        "float16.tflite": (dense, {"quantization": "float16", "samples": images}),
        "encoder.tflite": (convolutional.encoder, {}),
        "topk.tflite": (zoo.sparse(zoo.feed_forward((6,), 8), zoo.sparsity.TopK(2)), {}),
        "float32.onnx": (dense, {"threshold": 0.1}),
        "convolutional.onnx": (convolutional, {}),
        "encoder.onnx": (convolutional.encoder, {}),
    }


FEW = ("dense", "convolutional", "masking", "topk", "wrapped", "float32.tflite", "int8.tflite", "float32.onnx")


def build(folder: pathlib.Path, *, few: bool = False) -> None:
    """Write all victims below a folder: models/<name>/, exports/<name>, and samples.npz with what they compute.

    Args:
        folder: where.
        few: only those of `FEW`, in a fraction of the time.
    """
    import keras

    import zoo

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    computed = {}
    chosen = (lambda name: name in FEW) if few else (lambda name: True)
    for name, model in models().items():
        if not chosen(name):
            continue
        zoo.save(model, folder / MODELS / name, name=name, description="A small model", dataset={"name": "digits"})
    for name in () if few else SHIPPED:
        source = pathlib.Path(zoo.__file__).parents[1] / "pretrained" / name
        shutil.copytree(source, folder / MODELS / name, ignore=shutil.ignore_patterns("*.png"))
    for path in sorted((folder / MODELS).iterdir()):
        model = zoo.load(path)
        computed[path.name] = x = rng.random((2, *model.input_shape), "float32")
        computed[f"{path.name}/reconstruct"] = model.reconstruct(x)
    (folder / EXPORTS).mkdir()
    for name, (model, options) in exports().items():
        if not chosen(name):
            continue
        form = name.split(".")[-1]
        directory = folder / "exporting"
        zoo.export(model, directory, form, **options)
        (directory / f"model.{form}").rename(folder / EXPORTS / name)
        shutil.rmtree(directory)
        exported = zoo.lite.load(folder / EXPORTS / name)
        computed[name] = x = rng.random((2, *exported.input_shape), "float32")
        for verb in exported.signatures:
            if verb != "decode":
                computed[f"{name}/{verb}"] = getattr(exported, verb)(x)
    np.savez(folder / SAMPLES, **computed)
