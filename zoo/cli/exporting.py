"""``zoo export``."""

import pathlib

import click

import zoo
from zoo.cli.options import FiniteFloat, as_json_option, print_rows
from zoo.core.terminal import load_tensorflow
from zoo.exporting.formats import chosen


@click.command()
@click.argument("name")
@click.option(
    "-o", "--output", type=click.Path(path_type=pathlib.Path), help="Directory to write [default: exported/NAME]."
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    help="saved_model, tflite, onnx or micro; repeat for several [default: all but micro].",
)
@click.option(
    "--part", type=click.Choice(["autoencoder", "encoder", "decoder"]), default="autoencoder", show_default=True
)
@click.option("--quantization", help="Of the .tflite file: float16, dynamic or int8.")
@click.option(
    "--calibration", help="For int8: dataset, folder or file [default: training samples of the card's dataset]."
)
@click.option("--integer-io", help="For int8: uint8 inputs and outputs instead of float32.")
@click.option(
    "--raw-input",
    is_flag=True,
    help="Take integers: uint8 pixels, or int16 samples of a signal whose model says what they mean.",
)
@click.option(
    "--threshold-quantile",
    type=FiniteFloat(0, 1),
    help="Store an anomaly threshold: this quantile of the scores of the card's test split, such as 0.99.",
)
@click.option(
    "--batch-size",
    default=1,
    show_default=True,
    type=click.IntRange(1, 4096),
    help="Samples per call of the .tflite file.",
)
@click.option(
    "--signature",
    help="What the file for microcontrollers (micro) computes [default: score of a detector, else the first].",
)
@click.option("--force", is_flag=True, help="Calibrate int8 on fewer than 100 samples.")
@as_json_option
def export(name, output, formats, part, threshold_quantile, as_json, **options):
    """Export a pretrained model to SavedModel, TFLite and ONNX; every file is compared with Keras before it is kept.

    A whole autoencoder is one file with the signatures encode, decode, reconstruct and score.
    """
    if formats:
        options["formats"] = chosen(formats)  # before anything that takes time
    load_tensorflow()
    model = zoo.load(name)
    if threshold_quantile is not None:
        dataset = zoo.card(name).dataset.to_load
        if dataset is None:
            raise click.UsageError("The card names no dataset to take the threshold from: use zoo.threshold in Python.")
        options["threshold"] = zoo.threshold(model, dataset, threshold_quantile)
    output = output or pathlib.Path("exported") / zoo.card(name).name
    report = zoo.export(model if part == "autoencoder" else getattr(model, part), output, **options)
    if as_json:
        click.echo(report.to_json(), nl=False)
        return
    rows = [
        {
            "file": str(output / file.file),
            "bytes": file.size_bytes,
            **({"of float32": file.size_ratio} if file.size_ratio else {}),
            "max difference": f"{file.max_difference:.1e}",
            "operators": " ".join(file.operators) if key != "saved_model" else len(file.operators),
        }
        for key, file in report.files.items()
    ]
    print_rows(rows)
    metrics = [
        {"file": file.file, "metric": metric, "Keras": values["before"], "this file": values["after"]}
        for file in report.files.values()
        for metric, values in file.metrics.items()
    ]
    if metrics:
        click.echo()
        print_rows(metrics)
