"""The commands that measure: ``zoo benchmark train`` and ``zoo benchmark export``."""

import json
import pathlib

import click

from zoo.cli.options import as_json_option
from zoo.core.terminal import load_tensorflow, work_without_reader


@click.group()
def benchmark():
    """Measure zoo and its competitors on this machine."""
    work_without_reader()


@benchmark.command()
@click.option("--model", "models", multiple=True, help="Network to train; repeat for several [default: all].")
@click.option(
    "--repeats", default=5, show_default=True, type=click.IntRange(min=1), help="Measured epochs of each competitor."
)
@click.option(
    "--samples", type=click.IntRange(min=1), help="Samples per epoch at most [default: one to three seconds' worth]."
)
@click.option("--competitors", help="Importable module whose tuple COMPETITORS takes part as well.")
@click.option("--skip-plot", is_flag=True, help="Leave out the epochs of up to a million samples: no plot, no memory.")
@click.option(
    "-o", "--output", type=click.Path(path_type=pathlib.Path), help="Directory to write [default: benchmark/train]."
)
@click.option(
    "--from-json",
    "stored",
    multiple=True,
    help="Measure nothing: write page and plot of this benchmark.json anew; of several, those of the same machine.",
)
@as_json_option
def train(models, repeats, samples, competitors, skip_plot, output, stored, as_json):
    """Train the same networks with zoo and with Keras, in turns, and compare samples per second.

    Writes benchmark.json, the page training.md and the plot samples.png. The networks are 784-16-784, deep,
    strided-convolutional, paper-convolutional and denoising. All of it takes about ten minutes on two cores that do
    nothing else. In a checkout, scripts/benchmark.py is the same command with PyTorch and pythae.
    """
    output = output or pathlib.Path("benchmark") / "train"
    if stored:
        from zoo.benchmark import basics, report

        with basics.incomplete_results(stored):
            results = report.joined([report.read(path) for path in stored])
            report.write(results, output)
    else:
        load_tensorflow()
        from zoo.benchmark import report
        from zoo.benchmark import train as measuring
        from zoo.benchmark.competitors import further

        others = further(competitors) if competitors else ()
        options = [*(f"--model {model}" for model in models), f"--repeats {repeats}"]
        options += [f"--samples {samples}"] * bool(samples) + ["--skip-plot"] * skip_plot
        results = measuring.run(
            output,
            models,
            others=others,
            repeats=repeats,
            samples=samples,
            curve_and_memory=not skip_plot,
            command=" ".join(["scripts/benchmark.py train" if competitors else "zoo benchmark train", *options]),
        )
    _print(results, report, output, as_json)


@benchmark.command()
@click.option(
    "--model", "models", multiple=True, help="Set to measure; repeat for several [default: all dense, three others]."
)
@click.option(
    "--repeats", default=3, show_default=True, type=click.IntRange(min=1), help="Measured turns of each runtime."
)
@click.option(
    "--threads",
    multiple=True,
    default=(1, 2),
    show_default=True,
    type=click.IntRange(min=1),
    help="Number of CPU threads; repeat for several.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=pathlib.Path), help="Directory to write [default: benchmark/export]."
)
@click.option("--from-json", "stored", help="Measure nothing: write page and plot of this benchmark.json anew.")
@as_json_option
def export(models, repeats, threads, output, stored, as_json):
    """Compare exported models with Keras: size, start-up, latency of one sample (p50, p99), throughput.

    Keras predict, a compiled call, SavedModel, ONNX Runtime and LiteRT (float32, float16, int8) reconstruct the same
    samples in turns, each in processes of its own. Writes benchmark.json, the page export.md and the plot latency.png.
    By default all models with a dense network and three convolutional ones take part, which takes about eight minutes
    on two cores that do nothing else.
    """
    output = output or pathlib.Path("benchmark") / "export"
    from zoo.benchmark import basics, export_report

    if stored:
        with basics.incomplete_results([stored]):
            results = export_report.read(stored)
            export_report.write(results, output)
    else:
        load_tensorflow()
        from zoo.benchmark import export as measuring

        options = [*(f"--model {model}" for model in models), f"--repeats {repeats}"]
        options += [f"--threads {count}" for count in threads]
        command = " ".join(["zoo benchmark export", *options])
        results = measuring.run(output, models, repeats=repeats, threads=threads, command=command)
    _print(results, export_report, output, as_json)


def _print(results, report, output, as_json):
    """The results as a table, by the module that made their page, or as JSON."""
    if as_json:
        click.echo(json.dumps(results, indent=2))
        return
    from zoo.core.tables import print_table

    print_table(report.rows(results))
    click.echo(f"Wrote {output}.")
