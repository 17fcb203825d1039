"""``zoo verify`` and ``zoo seal``: whether files are what they were when they were made."""

import pathlib
import sys

import click

import zoo
from zoo.core.errors import ConfigError, ZooError
from zoo.core.terminal import load_tensorflow, one_line

_EXPORTED = (".tflite", ".onnx")


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--public-key", help="Require a signature by this key of minisign: the key, or its file.")
def verify(names, public_key):
    """Check pretrained models and exported files: every hash, and the models' golden outputs.

    NAME is a pretrained model, a directory of zoo.save or zoo.export, or a FILE.tflite or FILE.onnx; without any, all
    pretrained models are checked.
    """
    failed = 0
    for name in names or zoo.list_pretrained():
        try:
            click.echo(one_line(f"{name}: ok, {_checked(name, public_key)}"))
        except ZooError as error:
            failed += 1
            click.echo(one_line(f"{name}: {error}"), err=True)
    if failed:
        raise click.exceptions.Exit(2)


@click.command()
@click.argument("directory", type=click.Path(path_type=pathlib.Path))
@click.option(
    "--secret-key", type=click.Path(path_type=pathlib.Path), help="Sign the manifest with this key of minisign, too."
)
def seal(directory, secret_key):
    """Write the manifest of a model that an older version of zoo saved, or whose files you changed on purpose."""
    load_tensorflow()
    from zoo.catalog.seal import seal

    click.echo(f"Sealed {directory}: {', '.join(seal(directory))}.")
    if secret_key:
        from zoo.catalog.signing import sign

        click.echo(f"Signed {sign(directory, secret_key, _password)}.")


def _password():
    if sys.stdin.isatty():
        return click.prompt("Password of the secret key", hide_input=True, default="", show_default=False, err=True)
    return sys.stdin.readline().rstrip("\n")


def _checked(name, public_key):
    """What was checked of one name, in words."""
    path = pathlib.Path(name)
    if path.suffix in _EXPORTED:
        if public_key:
            raise ConfigError("An exported file carries no signature: verify its directory.")
        zoo.lite.load(path)
        return "the file's seal"
    from zoo.catalog.card import GOLDEN, METADATA
    from zoo.catalog.lookup import find
    from zoo.core import manifest

    exported = path.is_dir() and not (path / METADATA).exists()
    signed = None
    if public_key:
        from zoo.catalog.signing import Signed

        signed = Signed(path if exported else find(name), public_key)
    if exported:
        listed = manifest.check(path, signed)
        for file in listed:
            if pathlib.Path(file).suffix in _EXPORTED:
                zoo.lite.load(path / file)
        checked = f"{len(listed)} files"
    else:
        load_tensorflow()
        from zoo.catalog.seal import verify

        listed = verify(name, signed)
        checked = f"{len(listed)} files" + (" and the golden output" if GOLDEN in listed else "")
    return f"{checked}, signed as {signed.comment}" if signed else checked
