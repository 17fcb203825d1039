"""What `zoo.recommend` found: a table, and one sentence."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    """A pretrained model, or a baseline without one.

    Attributes:
        model: its name.
        pretrained: whether it is one of the catalog; False of a baseline.
        method: the linear head, or the score, that did best with it.
        value: mean over the splits, accuracy or AUROC in [0, 1]; of normal samples alone the share of their variance
            that is not reconstructed.
        spread: standard deviation over the splits; of normal samples alone, how many times the median the 99 % quantile
            of the scores is.
        shape: of the samples that it takes.
        parameters: of the encoder.
        int8_bytes: size of the encoder as an int8 .tflite file; None where it was not exported.
        int8_microseconds: median time of one sample in it, on one thread of this machine; None as before.
        options: arguments with which `zoo.load_encoder` loads it.
    """

    model: str
    pretrained: bool
    method: str
    value: float
    spread: float
    shape: tuple[int, ...]
    parameters: int | None = None
    int8_bytes: int | None = None
    int8_microseconds: float | None = None
    options: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Recommendation:
    """What `zoo.recommend` returns; ``print`` shows all of it.

    Attributes:
        rows: all that was measured, the best first.
        measure: "accuracy", "AUROC" or "unexplained".
        best: name of the pretrained model to take; None where none helps, or nothing can tell.
        sentence: the result in words.
        not_tried: reason to the names of the models that were left out for it, or () for what is never tried.
        samples: number of samples that were used.
        trained_on_these: names of the models that were trained on this very dataset, and so have an advantage here.
    """

    rows: tuple[Row, ...]
    measure: str
    best: str | None
    sentence: str
    not_tried: dict[str, tuple[str, ...]]
    samples: int
    trained_on_these: tuple[str, ...] = ()

    @property
    def options(self) -> dict:
        """Arguments with which `zoo.load_encoder` loads the best model as it was measured."""
        return next((dict(row.options) for row in self.rows if row.model == self.best), {})

    def table(self) -> list[dict]:
        """The rows as dictionaries of short texts and numbers, for people."""
        value, spread = ("unexplained", "99 % / median") if self.measure == "unexplained" else (self.measure, "±")
        return [
            {
                "model": row.model,
                "method": row.method,
                value: f"{row.value:.3f}",
                spread: f"{row.spread:.3f}",
                "input": "×".join(map(str, row.shape)),
                "parameters": "" if row.parameters is None else row.parameters,
                "int8 kB": "" if row.int8_bytes is None else f"{row.int8_bytes / 1000:.1f}",
                "int8 µs": "" if row.int8_microseconds is None else f"{row.int8_microseconds:.0f}",
            }
            for row in self.rows
        ]

    def notes(self) -> str:
        """What was not tried, and which models knew the samples, in words."""
        lines = [
            f"{len(names)} {reason}" if names else reason for reason, names in sorted(self.not_tried.items()) if reason
        ]
        known = ", ".join(self.trained_on_these)
        return (f"Trained on this very dataset: {known}.\n" if known else "") + f"Not tried: {'; '.join(lines)}."

    def __str__(self) -> str:
        from zoo.core.tables import markdown_table

        rows = self.table()
        table = markdown_table(list(rows[0]), [list(map(str, row.values())) for row in rows])
        return "\n\n".join([table, self.sentence, self.notes()])
