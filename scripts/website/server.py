"""A server for the page, on this machine only."""

import functools
import http.server
import pathlib

from zoo.core.errors import DataNotFoundError, OutputError

HOST = "127.0.0.1"


class _Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012, so in the base class
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".wasm": "application/wasm",
        ".tflite": "application/octet-stream",
        ".bin": "application/octet-stream",
    }

    def end_headers(self):
        self.send_header("Cache-Control", "no-cache")
        # An isolated page may measure time in steps of 5 µs instead of 100.
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *arguments):
        pass


def open_server(directory, port=0):
    """A server of the files below a directory, not yet running.

    Args:
        directory: root of the page.
        port: of 127.0.0.1; 0 takes a free one.

    Returns:
        http.server.ThreadingHTTPServer; call its `serve_forever`. Its address is `address`.

    Raises:
        DataNotFoundError: the page has not been built.
        OutputError: the port is taken.
    """
    directory = pathlib.Path(directory)
    if not (directory / "models" / "models.json").is_file():
        raise DataNotFoundError(
            f"There are no models in {str(directory)!r} yet: run make web, or scripts/web.py build."
        )
    try:
        return http.server.ThreadingHTTPServer((HOST, port), functools.partial(_Handler, directory=str(directory)))
    except OSError as error:
        raise OutputError(
            f"Port {port} of this machine cannot be used: {error.strerror}. Choose another, --port."
        ) from error


def address(server):
    """The URL of a server's page."""
    return f"http://{HOST}:{server.server_port}/"
