#!/usr/bin/env python
"""Build and serve the page in `web/`, where exported models run in the browser. `make web` does both."""

import contextlib
import pathlib
import threading
import time

import click
from website import models, runtime, server

from zoo.cli import Commands

WEB = pathlib.Path(__file__).parents[1] / "web"


@click.group(cls=Commands, help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
def main():
    pass


@main.command()
@click.option("--model", "names", multiple=True, default=tuple(models.SHOWN), help="Set to offer; repeat for several.")
@click.option(
    "--dataset",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "mnist", "digits"]),
    help="Digits to calibrate on and to show; auto: MNIST, or the embedded ones where it is not available.",
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
    with contextlib.suppress(KeyboardInterrupt), server.open_server(WEB, port) as opened:
        click.echo(f"Open {server.address(opened)} in a browser. Ctrl-C ends.")
        opened.serve_forever()


@main.command()
@click.option(
    "-o",
    "--output",
    default=WEB.parent / "docs" / "web.png",
    type=click.Path(path_type=pathlib.Path),
    show_default="docs/web.png",
)
def screenshot(output):
    """Take the README's picture of the page, with the machine's own Chromium."""
    from website.screenshot import take

    with server.open_server(WEB) as opened:
        threading.Thread(target=opened.serve_forever, daemon=True).start()
        take(server.address(opened), output)
        opened.shutdown()
    click.echo(f"Wrote {output}, {output.stat().st_size / 1000:.0f} kB.")


if __name__ == "__main__":
    main()
