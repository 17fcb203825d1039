"""The `zoo` command: arguments and printing. Each module holds the commands of one topic."""

import os
import sys
import traceback
import warnings

import click

from zoo import __version__
from zoo.cli.benchmark import benchmark
from zoo.cli.catalog import list_command, show
from zoo.cli.demo import demo
from zoo.cli.exporting import export
from zoo.cli.inference import encode, score
from zoo.cli.integrity import seal, verify
from zoo.cli.recommending import recommend
from zoo.cli.training import evaluate, train
from zoo.core.errors import ZooError
from zoo.core.terminal import NoReaderError, one_line, prepare_streams


class Commands(click.Group):
    """The commands. Every exit is code 0, or code 2 with one line on standard error; Ctrl-C is code 130.

    What no command expects becomes such a line, too; ``ZOO_TRACEBACK=1`` shows where it happened.
    """

    def main(self, *arguments, standalone_mode=True, **options):
        if not standalone_mode:
            return super().main(*arguments, standalone_mode=False, **options)
        prepare_streams()
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            warnings.filterwarnings("ignore", module=r"PIL\.")  # of damaged pictures, which are read or are errors
            sys.exit(self._code(*arguments, **options))

    def _run(self, *arguments, **options):
        try:
            return super().main(*arguments, standalone_mode=False, **options) or 0
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            return 0

    def _code(self, *arguments, **options):
        try:
            code = self._run(*arguments, **options)
            sys.stdout.flush()
            return code
        except NoReaderError:  # whoever read standard output has seen enough
            return 0
        except (KeyboardInterrupt, click.Abort):
            click.echo("\nInterrupted.", err=True)
            return 130
        except Exception as error:
            if os.environ.get("ZOO_TRACEBACK") == "1":
                traceback.print_exc()
            click.echo(f"Error: {one_line(_message(error))}", err=True)
            return 2

    def invoke(self, context):
        try:
            return super().invoke(context)
        except EOFError as error:  # of a file; click takes it for Ctrl-D
            raise OSError(f"unexpected end of a file: {error}") from error


def _message(error):
    """What to tell of an error: what was expected, what came, what to do."""
    if isinstance(error, ZooError):
        return str(error)
    if isinstance(error, click.UsageError) and error.ctx:
        return f"{error.format_message()} See {error.ctx.command_path} --help."
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return "There is not enough memory for this."
    if isinstance(error, OSError):
        return f"{error.strerror or error}" + (f": {error.filename!r}." if error.filename else ".")
    return (
        f"unexpected {type(error).__name__}: {str(error)[:300]} - a fault of zoo: please report it, with what"
        " ZOO_TRACEBACK=1 adds."
    )


def _show_warning(message, category, filename, lineno, file=None, line=None):
    click.echo(f"Warning: {one_line(str(message))}", err=True)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="zoo")
def main():
    """An autoencoder zoo for Keras 3: load a pretrained encoder, fine-tune it, export it to a phone."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


for command in (list_command, show, recommend, train, evaluate, encode, score, export, verify, seal, demo, benchmark):
    main.add_command(command)
