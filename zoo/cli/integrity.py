"""``zoo verify`` and ``zoo seal``: whether files are what they were when they were made."""

import pathlib

import click

import zoo
from zoo.core.errors import ZooError
from zoo.core.terminal import load_tensorflow

_EXPORTED = (".tflite", ".onnx")


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
def verify(names):
    """Check pretrained models and exported files: every hash, and the models' golden outputs.

    NAME is a pretrained model, a directory of zoo.save or zoo.export, or a FILE.tflite or FILE.onnx; without any, all
    pretrained models are checked.
    """
    failed = 0
    for name in names or zoo.list_pretrained():
        try:
            click.echo(f"{name}: ok, {_checked(name)}")
        except ZooError as error:
            failed += 1
            click.echo(f"{name}: {' '.join(str(error).split())}", err=True)
    if failed:
        raise click.exceptions.Exit(2)


@click.command()
@click.argument("directory", type=click.Path(path_type=pathlib.Path))
def seal(directory):
    """Write the manifest of a model that an older version of zoo saved, or whose files you changed on purpose."""
    load_tensorflow()
    from zoo.catalog.seal import seal

    click.echo(f"Sealed {directory}: {', '.join(seal(directory))}.")


def _checked(name):
    """What was checked of one name, in words."""
    path = pathlib.Path(name)
    if path.suffix in _EXPORTED:
        zoo.lite.load(path)
        return "the file's seal"
    from zoo.catalog.card import METADATA
    from zoo.core import manifest

    if path.is_dir() and not (path / METADATA).exists():  # of zoo.export
        listed = manifest.check(path)
        for file in listed:
            if pathlib.Path(file).suffix in _EXPORTED:
                zoo.lite.load(path / file)
        return f"{len(listed)} files"
    load_tensorflow()
    from zoo.catalog.seal import verify

    return f"{len(verify(name))} files and the golden output"
