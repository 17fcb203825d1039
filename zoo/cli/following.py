"""``zoo score --follow``: the scores of a signal while it comes in."""

import collections
import contextlib
import math
import pathlib
import re
import sys
import warnings

import click
import numpy as np

from zoo.cli.options import FiniteFloat
from zoo.core import reading
from zoo.core.errors import DataError


class _Alarm(click.ParamType):
    """A text such as 3/5, as (3, 5)."""

    name = "k/n"

    def convert(self, value, param, context):
        found = re.fullmatch(r"([1-9]\d{0,6})/([1-9]\d{0,6})", value) if isinstance(value, str) else None
        return tuple(map(int, found.groups())) if found else self.fail(f"{value!r} is not such as 3/5.", param, context)


class _Scale(FiniteFloat):
    """A number, or a fraction such as 1/32768."""

    def convert(self, value, param, context):
        if isinstance(value, str) and re.fullmatch(r"\d+/[1-9]\d*", value):
            numerator, denominator = value.split("/")
            value = int(numerator) / int(denominator)
        return super().convert(value, param, context)


_OPTIONS = (
    click.option("--follow", is_flag=True, help="DATA is a signal: score each window of it as soon as it is there."),
    click.option("--hop", type=click.IntRange(min=1), help="Samples between two windows [default: a window's length]."),
    click.option("--alarm", type=_Alarm(), help="Alarm while k of the last n windows are anomalies [default: 1/1]."),
    click.option(
        "--format",
        "format_",
        type=click.Choice(["audio", "csv", "s16le", "f32le"]),
        help="Of the signal [default: by the file's name]; audio is WAV or FLAC, the last two are raw.",
    ),
    click.option(
        "--sampling-rate", type=FiniteFloat(min=0, min_open=True), help="Samples per second of CSV and raw signals."
    ),
    click.option("--channels", type=click.IntRange(min=1), help="Channels of the signal [default: the model's]."),
    click.option(
        "--column",
        "columns",
        multiple=True,
        help="Column of a CSV signal to take, by its name; repeat, in the order of the model's channels [default: all"
        " but those of time, labels and row numbers].",
    ),
    click.option("--time-column", help="Column of a CSV signal whose times are printed, by its name."),
    click.option(
        "--scale",
        type=_Scale(),
        help="Multiply samples with this number, such as 1/32768 [default: of s16le, what the model says].",
    ),
)


def following_options(command):
    """The options of `follow_signal`, as a decorator of a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def refuse_without_following(given):
    """Raise `UsageError` where an option is given that needs --follow."""
    for name, value in given.items():
        if value not in (None, ()):
            name = "column" if name == "columns" else name.rstrip("_").replace("_", "-")
            raise click.UsageError(f"--{name} goes with --follow.")


def follow_signal(
    model, data, threshold, *, hop, alarm, format_, sampling_rate, channels, scale, columns=(), time_column=None
):
    """Print one row per window, flushed, until the signal ends, the reader leaves or Ctrl-C comes.

    Args:
        model: of `zoo.lite.load`, or an Autoencoder.
        data: path of a file, or "-" for standard input.
        threshold: anomaly threshold, None for the model's.
        hop, alarm, format_, sampling_rate, channels, scale, columns, time_column: the options.
    """
    from zoo.streaming import readers
    from zoo.streaming.stream import Stream

    threshold = getattr(model, "threshold", None) if threshold is None else threshold
    if threshold is None and alarm:
        raise click.UsageError("--alarm needs a threshold: pass --threshold, or a file that carries one.")
    k, n = alarm or (1, 1)
    made = {"hop": hop, "threshold": math.inf if threshold is None else threshold, "k": k, "n": n}
    format_ = format_ or _format(data, readers)
    if format_ != "csv" and (columns or time_column):
        raise click.UsageError(f"{'--column' if columns else '--time-column'} is for CSV signals.")
    times = collections.deque() if time_column else None
    with _opened(data, format_) as file:
        if format_ == "audio":
            if sampling_rate and sampling_rate != file.samplerate:
                raise click.UsageError(f"--sampling-rate is {sampling_rate:g}, but the signal has {file.samplerate}.")
            sampling_rate, channels = file.samplerate, file.channels
        stream = Stream(model, sampling_rate=sampling_rate, **made)
        if channels not in (None, stream.channels):
            plural = "s" if stream.channels > 1 else ""
            raise DataError(
                f"The model takes signals of {stream.channels} channel{plural}. Received one of {channels}."
            )
        scale = _checked_scale(scale, stream, format_)
        chunks = _chunks(file, format_, stream, readers, columns, time_column, times)
        _print(stream, (_converted(chunk, stream.dtype, scale) for chunk in chunks), threshold is not None, times)


def _print(stream, chunks, with_alarm, times=None):
    skipped, first, passed = 0, None, 0  # windows without a score, the first such sample, times that are left behind
    by_number = stream.sampling_rate is None and times is None
    columns = ["sample" if by_number else "time", "score", *["alarm"] * with_alarm]
    sys.stdout.write(",".join(columns) + "\n")
    sys.stdout.flush()
    try:
        for window in stream.follow(chunks):
            if times is not None:
                for _ in range(window.start - passed):
                    times.popleft()
                passed = window.start
                row = [_field(times[0])]
            else:
                row = [str(window.start) if window.time is None else f"{window.time:.6f}"]
            row += ["" if window.missing is not None else f"{window.score:.9g}", *[str(int(window.alarm))] * with_alarm]
            sys.stdout.write(",".join(row) + "\n")
            sys.stdout.flush()
            if window.missing is not None:
                skipped, first = skipped + 1, window.missing if first is None else first
    except KeyboardInterrupt:  # the usual end of a signal that has none
        click.get_current_context().exit(130)
    if skipped:
        windows = "1 window has" if skipped == 1 else f"{skipped} windows have"
        warnings.warn(
            f"{windows} no score, because of samples that are missing, NaN or infinite: the first is number {first}.",
            stacklevel=2,
        )
    if stream.received < stream.length:
        raise DataError(f"The signal is too short: a window is {stream.length} samples. Received {stream.received}.")


def _field(text):
    """A text as a field of CSV."""
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"') else text


def _format(data, readers):
    suffix = pathlib.Path(data).suffix.lower()
    if data != "-" and suffix in readers.AUDIO:
        return "audio"
    if data != "-" and suffix in (".csv", ".tsv", ".txt"):
        return "csv"
    raise click.UsageError(f"Say with --format what {'standard input' if data == '-' else repr(data)} holds.")


@contextlib.contextmanager
def _opened(data, format_):
    """A binary file, or for audio a `soundfile.SoundFile`."""
    with contextlib.ExitStack() as stack:
        binary = sys.stdin.buffer if data == "-" else stack.enter_context(_file(data))
        if format_ != "audio":
            yield binary
            return
        import soundfile

        try:
            # By its number: Python's object of a pipe cannot seek, which libsndfile can do without.
            with soundfile.SoundFile(binary.fileno(), closefd=False) as audio:
                yield audio
        except soundfile.LibsndfileError as error:
            raise DataError(f"{data!r} is not audio that can be read: {error.error_string}") from error


def _file(data):
    if reading.kind(data) == "a named pipe":
        return pathlib.Path(data).open("rb")
    return reading.opened(data)


def _chunks(file, format_, stream, readers, columns, time, times):
    if format_ == "audio":
        dtype = stream.dtype if stream.dtype.kind in "iu" else np.dtype("float32")
        return readers.audio(file, dtype, lambda: stream.due)
    if format_ == "csv":
        return readers.comma_separated(file, stream.channels, columns, time, times)
    return readers.raw(file, readers.RAW[format_], stream.channels)


def _checked_scale(scale, stream, format_):
    """The scale that is given, or for raw integers the model's."""
    if stream.dtype.kind != "f" and scale is not None:
        raise click.UsageError(f"The model takes {stream.dtype} samples as they are: leave --scale out.")
    if stream.dtype.kind == "f" and format_ == "s16le" and scale is None:
        scale = stream.model.contract.scale
        if scale is None:
            raise click.UsageError(
                f"The model takes {stream.dtype} samples in the unit that it was trained on, and s16le are integers:"
                " pass --scale, what one step is worth (1/32768 for audio)."
            )
    return scale


def _converted(chunk, dtype, scale):
    """Samples as the model takes them: floats in its unit, or the integers themselves."""
    if dtype.kind == "f":
        return chunk if scale is None else chunk * np.float32(scale)
    if chunk.dtype.kind != "f":  # of another integer dtype: refused by the stream
        return chunk
    with np.errstate(invalid="ignore"):
        whole = chunk.astype(dtype)
    if not (whole == chunk).all():
        row = chunk[(whole != chunk).any(axis=1)][0]
        raise DataError(f"The model takes {dtype} samples. Received {', '.join(f'{value:g}' for value in row)}.")
    return whole
