"""The `zoo` command: arguments and printing. Each module holds the commands of one topic."""

import os

import click

from zoo import __version__
from zoo.cli.benchmark import benchmark
from zoo.cli.catalog import list_command, show
from zoo.cli.demo import demo
from zoo.cli.exporting import export
from zoo.cli.inference import encode, score
from zoo.cli.integrity import seal, verify
from zoo.cli.training import evaluate, train
from zoo.core.errors import ZooError


class ErrorGroup(click.Group):
    """Every `ZooError` becomes one line on standard error and exit code 2; Ctrl-C exit code 130."""

    def invoke(self, context):
        try:
            return super().invoke(context)
        except ZooError as error:
            click.echo(f"Error: {' '.join(str(error).split())}", err=True)
            context.exit(2)
        except KeyboardInterrupt:
            click.echo("\nInterrupted.", err=True)
            context.exit(130)


@click.group(cls=ErrorGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="zoo")
def main():
    """An autoencoder zoo for Keras 3: load a pretrained encoder, fine-tune it, export it to a phone."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


for command in (list_command, show, train, evaluate, encode, score, export, verify, seal, demo, benchmark):
    main.add_command(command)
