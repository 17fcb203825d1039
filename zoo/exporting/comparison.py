"""The Keras model's outputs and metrics, computed once, and every file compared with them."""

import functools
import pathlib

from zoo.core import files
from zoo.core.terminal import native_errors_hidden
from zoo.exporting import parity, task
from zoo.exporting.formats import FORMATS
from zoo.exporting.report import ExportedFile, Written
from zoo.exporting.target import ExportTarget


class Comparison:
    """A model on samples, to compare files with.

    Args:
        target: what is exported.
        exact: builds the same target in float64.
        samples: array of the target's samples.
        task: arguments of `zoo.exporting.task.metrics`, or None for no metrics.
        tolerance: as for `zoo.export`.
    """

    def __init__(self, target: ExportTarget, exact, samples, task: dict | None, tolerance: float | None) -> None:
        self._inputs = target.inputs(samples)
        self._references = {name: s.run(self._inputs[name]) for name, s in target.signatures.items()}
        self._task = task
        if task is not None and target.kind == "autoencoder":
            self._task = {**task, "targets": target.targets(samples)}
        self._tolerance = tolerance
        self._exact = functools.cache(exact)
        self._before = self._metrics(self._references, lambda name, x: target.signatures[name].run(x))

    def with_keras(self, name: str, path: pathlib.Path, mode: str | None, written: Written) -> ExportedFile:
        """What is known about a written file; raises `ParityError` if it does not compute what Keras computes."""
        form = FORMATS[name]
        operators = form.audited(path)
        with native_errors_hidden():  # LiteRT announces its delegate
            opened = form.open(path)
        outputs = {signature: opened.run(signature, self._inputs[signature]) for signature in opened.signatures}
        differences = {
            signature: parity.check(
                f"{form.file} ({signature})",
                opened.signatures[signature],
                values,
                self._references[signature],
                self._tolerance,
                mode is not None,
                functools.partial(self._in_float64, signature),
            )
            for signature, values in outputs.items()
        }
        after = self._metrics(outputs, opened.run)
        first = next(iter(differences.values()))
        size = files.size_bytes(path)
        return ExportedFile(
            file=form.file,
            size_bytes=size,
            sha256=files.sha256(path),
            seal=None if opened.metadata is None else opened.metadata.seal,
            quantization=mode,
            size_ratio=None if written.float32_bytes is None else size / written.float32_bytes,
            max_difference=first.max_difference,
            mean_difference=first.mean_difference,
            tolerance=first.tolerance,
            signatures=differences,
            metrics={key: {"before": self._before[key], "after": value} for key, value in after.items()},
            operators=tuple(operators),
            micro=written.micro,
        )

    def _in_float64(self, signature):
        return self._exact().signatures[signature].run(self._inputs[signature])

    def _metrics(self, outputs, run):
        return {} if self._task is None else task.metrics(outputs, self._references, run, **self._task)
