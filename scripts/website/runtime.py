"""LiteRT.js, the runtime of the page, from its npm packages."""

import base64
import hashlib
import json
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

from zoo.core import files
from zoo.core.errors import DataNotFoundError, IntegrityError

VERSION = "2.5.3"
# npm's own integrity of each package, and which of its files the page needs, by their names there.
PACKAGES = {
    "@litertjs/core": (
        "sha512-PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
        {
            "dist/index.js": "litert.js",
            "wasm/litert_wasm_internal.js": "wasm/litert_wasm_internal.js",
            "wasm/litert_wasm_internal.wasm": "wasm/litert_wasm_internal.wasm",
            # For browsers without relaxed SIMD.
            "wasm/litert_wasm_compat_internal.js": "wasm/litert_wasm_compat_internal.js",
            "wasm/litert_wasm_compat_internal.wasm": "wasm/litert_wasm_compat_internal.wasm",
        },
    ),
    "@litertjs/wasm-utils": (
        "sha512-4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
        {"dist/index.js": "wasm-utils.js"},
    ),
}
_MANIFEST = "manifest.json"
# The packages name their licence, Apache-2.0, but do not carry its text; it is that of this repository.
_LICENSE = pathlib.Path(__file__).parents[2] / "LICENSE"


def fetch(directory):
    """Bring LiteRT.js into a directory, unless it is there already.

    Args:
        directory: where its files, a manifest and its licence go.

    Returns:
        bool: whether it had to be fetched.

    Raises:
        DataNotFoundError: npm is not installed, or cannot reach its registry.
        IntegrityError: a package whose SHA-512 is not the one above.
    """
    directory = pathlib.Path(directory)
    if _is_there(directory):
        return False
    npm = shutil.which("npm")
    if npm is None:
        raise DataNotFoundError(
            "npm is not installed, and LiteRT.js, the runtime of the page, comes through it. Install it"
            " (Debian: apt-get install npm), then try again."
        )
    with files.staged(directory) as staging, tempfile.TemporaryDirectory() as downloads:
        (staging / "wasm").mkdir()
        for package, (integrity, wanted) in PACKAGES.items():
            archive = _packed(npm, f"{package}@{VERSION}", pathlib.Path(downloads))
            _check(archive, package, integrity)
            with tarfile.open(archive) as content:
                for name, target in wanted.items():
                    (staging / target).write_bytes(content.extractfile(f"package/{name}").read())
        shutil.copy(_LICENSE, staging / "LICENSE")
        (staging / _MANIFEST).write_text(json.dumps(_manifest(staging), indent=2), encoding="utf-8")
    return True


def _packed(npm, package, directory):
    """The archive of an npm package, fetched from the registry that npm is set to."""
    command = [npm, "pack", package, "--json", "--pack-destination", str(directory)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=directory)
    if result.returncode:
        lines = [line for line in result.stderr.splitlines() if line.strip()] or ["no message"]
        raise DataNotFoundError(f"npm cannot fetch {package}: {lines[0]} Check the network and npm's registry setting.")
    return max(directory.glob("*.tgz"), key=lambda path: path.stat().st_mtime_ns)


def _check(archive, package, integrity):
    digest = hashlib.sha512(archive.read_bytes()).digest()
    received = f"sha512-{base64.b64encode(digest).decode()}"
    if received != integrity:
        raise IntegrityError(
            f"{package} {VERSION} is not the package it was: expected {integrity}. Received {received}."
            " Check npm's registry setting."
        )


def _manifest(directory):
    names = [name for _, wanted in PACKAGES.values() for name in wanted.values()]
    return {
        "version": VERSION,
        "license": "Apache-2.0",
        "packages": {package: integrity for package, (integrity, _) in PACKAGES.items()},
        "files": {name: files.sha256(directory / name) for name in names},
    }


def _is_there(directory):
    """Whether the directory holds what `fetch` would bring."""
    try:
        stored = json.loads((directory / _MANIFEST).read_text(encoding="utf-8"))
        return stored == _manifest(directory)
    except (OSError, ValueError):
        return False
