#!/usr/bin/env python
"""Build and serve the page in `web/`, where exported models run in the browser: ``scripts/web.py build`` and ``serve``.

``make web`` does both.
"""

import contextlib
import pathlib
import time

import click
from website import models, runtime, server

from zoo.cli import _Group

WEB = pathlib.Path(__file__).parents[1] / "web"


@click.group(cls=_Group, help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
def main():
    pass


@main.command()
@click.option("--model", "names", multiple=True, default=tuple(models.SHOWN), help="Set to offer; repeat for several.")
@click.option(
    "--dataset",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "mnist", "digits"]),
    help="Digits to calibrate on and to show; auto: MNIST, or the embedded ones where it cannot be had.",
)
def build(names, dataset):
    """Fetch LiteRT.js through npm and export the models; only what is missing or stale."""
    clock = time.monotonic()
    if runtime.fetch(WEB / "vendor"):
        click.echo(f"Fetched LiteRT.js {runtime.VERSION}.")
    exported = models.build(WEB / "models", names, dataset, click.echo)
    what = f"exported {len(exported)} models" if exported else "everything was up to date"
    click.echo(f"web/ is ready: {what}, {time.monotonic() - clock:.0f} s.")


@main.command()
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
def serve(port):
    """Serve the page to this machine's browsers until Ctrl-C."""
    with server.open_server(WEB, port) as opened:
        click.echo(f"Open {server.address(opened)} in a browser. Ctrl-C ends.")
        with contextlib.suppress(KeyboardInterrupt):
            opened.serve_forever()


if __name__ == "__main__":
    main()
