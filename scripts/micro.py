"""Measure what runs on microcontrollers, and write the tables of docs/micro.md.

    python scripts/micro.py            # a few minutes; the pretrained models need their datasets
    python scripts/micro.py conv       # only the rows whose name contains the word, printed

Every row is one `zoo.export(model, directory, "micro")`: sizes and differences are those of its report, refusals its
errors. The networks are hardly trained: neither sizes nor operators depend on that.
"""

import importlib.metadata
import pathlib
import sys
import tempfile
import warnings

import keras
import numpy as np

import zoo
from zoo.exporting import runtime
from zoo.exporting.micro import kernels, trial

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "micro.md"
PRETRAINED = (
    "mnist-deep-feed-forward-16",
    "mnist-convolutional-16",
    "mnist-tied-feed-forward-32",
    "mnist-sparse-topk-1000",
    "fashion-mnist-denoising-masking-32",
    "ecg5000-convolutional-8",
    "ecg5000-denoising-gaussian-dense-8",
    "shuttle-feed-forward-4",
)
TITLES = ("model", "parameters", "computes", "file, bytes", "arena, bytes", "difference to LiteRT", "operators")
OPERATOR_TITLES = ("operator", "dtype", "models", "to LiteRT's reference kernel", "to LiteRT's optimized kernel")
PACKAGES = ("tflite-micro", "tensorflow", "keras", "ai-edge-litert")
C, F = zoo.convolutional, zoo.feed_forward
SIGNAL, IMAGE = (64, 2), (16, 16, 1)
LINEAR = {"output_activation": "linear"}


def _detector(score):
    return zoo.detector(F((64,), 8, (32,), **LINEAR), score)


NETWORKS = {
    "MLPerf Tiny, 640-128-128-128-128-8-128-128-128-128-640": lambda: F(
        (640,), 8, (128,) * 4, batch_normalization=True, **LINEAR
    ),
    "its encoder": lambda: F((640,), 8, (128,) * 4, batch_normalization=True, **LINEAR).encoder,
}
FAMILIES = {
    "`feed_forward`, 64-32-8": lambda: F((64,), 8, (32,), **LINEAR),
    "`feed_forward`, batch_normalization": lambda: F((64,), 8, (32,), batch_normalization=True, **LINEAR),
    "`feed_forward`, tied_weights": lambda: F((64,), 8, (32,), tied_weights=True, **LINEAR),
    "`feed_forward` of images": lambda: F(IMAGE, 8, (32,)),
    "`denoising`": lambda: zoo.denoising(F((64,), 8, (32,), **LINEAR), zoo.corruption.Gaussian(0.1)),
    "`sparse`, L1": lambda: zoo.sparse(F((64,), 32, **LINEAR), zoo.sparsity.L1(1e-4)),
    "`sparse`, KL": lambda: zoo.sparse(
        F((64,), 32, latent_activation="sigmoid", **LINEAR), zoo.sparsity.KL(0.05, weight=1e-3)
    ),
    "`sparse`, TopK": lambda: zoo.sparse(F((64,), 32, **LINEAR), zoo.sparsity.TopK(5)),
    "1-D `convolutional`, strides 2": lambda: C(SIGNAL, 8, (8, 16), **LINEAR),
    "1-D, length 61": lambda: C((61, 2), 8, (8, 16), **LINEAR),
    "1-D, kernel_size 5, strides 4": lambda: C(SIGNAL, 8, (8, 16), kernel_size=5, strides=4, **LINEAR),
    "1-D, padding valid": lambda: C(SIGNAL, 8, (8, 16), padding="valid", **LINEAR),
    "1-D, pooling 2": lambda: C(SIGNAL, 8, (8, 16), strides=1, pooling=2, **LINEAR),
    "1-D, batch_normalization": lambda: C(SIGNAL, 8, (8, 16), batch_normalization=True, **LINEAR),
    "1-D, tied_weights": lambda: C(SIGNAL, 8, (8, 16), tied_weights=True, **LINEAR),
    "1-D, latent_dim None": lambda: C(SIGNAL, None, (8, 4), **LINEAR),
    "2-D `convolutional`, strides 2": lambda: C(IMAGE, 8, (8, 16)),
    "2-D, padding valid": lambda: C(IMAGE, 8, (8, 16), padding="valid"),
    "2-D, pooling 2": lambda: C(IMAGE, 8, (8, 16), strides=1, pooling=2),
    "2-D, batch_normalization": lambda: C(IMAGE, 8, (8, 16), batch_normalization=True),
    "2-D, tied_weights": lambda: C(IMAGE, 8, (8, 16), tied_weights=True),
    "2-D, latent_dim None": lambda: C(IMAGE, None, (8, 4)),
    "2-D, 28 × 28, three layers": lambda: C((28, 28, 1), 8, (8, 16, 16)),
    "`detector`, mean_squared_error": lambda: _detector("mean_squared_error"),
    "`detector`, mahalanobis_error": lambda: _detector("mahalanobis_error"),
    "`detector`, mahalanobis_latent": lambda: _detector("mahalanobis_latent"),
    "`preprocessed`, Standardize": lambda: zoo.preprocessed(
        C(SIGNAL, 8, (8, 16), **LINEAR), [zoo.preprocessing.Standardize().fitted(_samples(SIGNAL))]
    ),
    "`preprocessed`, PerWindowStandardize": lambda: zoo.preprocessed(
        C(SIGNAL, 8, (8, 16), **LINEAR), [zoo.preprocessing.PerWindowStandardize(1e-3)]
    ),
    "encoder": lambda: C(SIGNAL, 8, (8, 16), **LINEAR).encoder,
    "decoder": lambda: C(SIGNAL, 8, (8, 16), **LINEAR).decoder,
    "`classifier` on an encoder": lambda: zoo.classifier(C(IMAGE, 8, (8, 16)).encoder, 10),
    **{
        f'activation "{name}"': lambda name=name: F((64,), 8, (32,), activation=name, **LINEAR)
        for name in (
            *("tanh", "sigmoid", "elu", "selu", "leaky_relu", "relu6", "silu", "hard_silu", "softsign"),
            *("softplus", "gelu", "mish", "exponential"),
        )
    },
}


def _samples(shape, count=1000):
    if shape == (640,):  # five frames of 128 log-mel bands, in dB
        return np.random.default_rng(0).normal(-30, 10, (count, 640)).astype("float32")
    if len(shape) == 3:
        return zoo.data.samples_like(shape, count)
    steps = np.random.default_rng(0).normal(0, 0.1, (count, *shape))
    return np.cumsum(steps, axis=1).astype("float32")


def _kernels(directory, samples):
    """{"operator, dtype": (difference to LiteRT's reference kernel, to its optimised one)} of an exported file."""
    path = pathlib.Path(directory) / "micro" / "model.tflite"
    content, phone = path.read_bytes(), zoo.lite.load(path)
    (details,) = phone._runtime.signatures.values()
    if details.input_scale:
        samples = runtime.quantized(samples, details.dtype, *details.input_scale)
    apart = kernels.Apart.of(content)
    values = trial.run(content, samples[:64], apart.tensors).kept
    reference, optimized = (kernels.compare(apart, values, optimized) for optimized in (False, True))
    return {key: (reference[key], optimized[key]) for key in reference}


def _row(name, build, given, found):
    """The row of a model; what its operators differ by is added to `found`."""
    keras.utils.set_random_seed(0)
    model = build()
    samples = _samples(tuple(model.input_shape if isinstance(model, zoo.Autoencoder) else model.input_shape[1:]))
    if getattr(model, "distance", None) is not None:
        model.fit_score(samples)
    if given and isinstance(model, zoo.Autoencoder) and samples.ndim == 4:  # else all images come out the same
        model.compile("adam")
        model.fit(samples, epochs=8, batch_size=20, verbose=0)
    parameters = f"{model.count_params():,}"
    with tempfile.TemporaryDirectory() as directory, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            report = zoo.export(model, directory, "micro", **({"calibration": samples} if given else {}))
        except zoo.ZooError as error:
            return [name, parameters, "", "", "", "", f"refused: {error}"]
        if given:
            for key, pair in _kernels(directory, samples).items():
                found.setdefault(key, []).append(pair)
    file = report.files["micro"]
    micro = file.micro
    difference = f"at most {micro.max_difference:.1e}"
    if micro.max_steps is not None:
        difference = f"at most {micro.max_steps}, mean {micro.mean_steps:.2g} steps"
    sizes = (f"{file.size_bytes:,}", f"{micro.arena_bytes:,}")
    return [name, parameters, micro.signature, *sizes, difference, " ".join(file.operators)]


def _operator_rows(found):
    """For every operator: in how many models, and its largest differences to LiteRT's two sets of kernels."""
    for key, pairs in sorted(found.items()):
        cells = []
        for differences in zip(*pairs, strict=True):
            largest = max(d.max_difference for d in differences)
            means = [d.mean_steps for d in differences if d.mean_steps is not None]
            shown = f"{largest:.0f} step, mean {max(means):.2g}" if means else f"{largest:.1e}"
            cells.append(shown if largest else "0")
        yield [*key.split(", "), str(len(pairs)), *cells]


def _table(rows, titles=TITLES):
    lines = (f"| {' | '.join(row)} |" for row in (titles, ["---"] * len(titles), *rows))
    return "\n".join(lines)


def main():
    words = sys.argv[1:]
    tables = {
        "networks": (NETWORKS, True),
        "pretrained": ({f"`{name}`": lambda name=name: zoo.load(name) for name in PRETRAINED}, False),
        "families": (FAMILIES, True),
    }
    found, texts = {}, {}
    for key, (models, given) in tables.items():
        rows = []
        for name, build in models.items():
            if not words or any(word in name for word in words):
                rows.append(_row(name, build, given, found))
                print(*rows[-1], sep=" | ", flush=True)
        texts[key] = _table(rows)
    texts["operators"] = _table(_operator_rows(found), OPERATOR_TITLES)
    print(texts["operators"])
    if words:
        return
    texts["versions"] = f"Measured with {', '.join(f'{name} {importlib.metadata.version(name)}' for name in PACKAGES)}."
    page = PAGE.read_text(encoding="utf-8")
    for key, text in texts.items():
        page = _replaced(page, key, text)
    PAGE.write_text(page, encoding="utf-8")


def _replaced(page, key, text):
    begin, end = f"<!-- {key} -->", f"<!-- /{key} -->"
    head, rest = page.split(begin)
    return f"{head}{begin}\n{text}\n{end}{rest.split(end)[1]}"


if __name__ == "__main__":
    main()
