"""Signatures of a model's manifest, in the format of minisign: who made it, where SHA-256 only says it is unchanged."""

import os
import pathlib
from collections.abc import Callable

from zoo.catalog.card import CARD_LIMITS, parse_card
from zoo.core import files, manifest, reading
from zoo.core.errors import ConfigError, IntegrityError

SIGNATURE = f"{manifest.MANIFEST}.minisig"
_LIMIT = 1e4  # bytes of a key or a signature


def sign(directory: str | os.PathLike, secret_key: str | os.PathLike, password: Callable[[], str]) -> str:
    """Sign the manifest of a model, into ``manifest.json.minisig``.

    Args:
        directory: a directory that `zoo.save` wrote.
        secret_key: file of a secret key, as ``minisign -G`` writes it.
        password: function that gives the password of the key, called if it has one.

    Returns:
        the trusted comment, which the signature covers: name and version of the model.

    Raises:
        ConfigError: no such key, another password, or the package py-minisign is missing.
        IntegrityError: no or a damaged manifest.
        OutputError: the directory cannot be written.
    """
    minisign, directory = _minisign(), pathlib.Path(directory)
    signed: list[bytes] = []
    contents = manifest.read(directory, CARD_LIMITS, accept=signed.append)
    card = parse_card(contents, directory)
    comment = ascii(f"{card.name} version {card.version}")[1:-1]
    content = reading.read_bytes(secret_key, limit=_LIMIT, error=ConfigError, missing=ConfigError)
    try:
        with minisign.SecretKey.from_bytes(content) as key:
            if key.is_encrypted():
                key.decrypt(password())
            signature = bytes(key.sign(signed[-1], trusted_comment=comment))
    except (minisign.Error, ValueError) as error:
        raise ConfigError(f"Cannot sign with the key {os.fspath(secret_key)!r}: {error}.") from error
    with files.replacing(directory / SIGNATURE) as file:
        file.write(signature + b"\n")
    return comment


class Signed:
    """A check that manifests are signed; call it with the bytes of one, as `manifest.read` does with those it uses.

    Args:
        directory: the directory of the manifests.
        public_key: a public key of minisign, or the path of its file.

    Attributes:
        comment: the trusted comment of the signature, once a manifest was checked.

    Raises:
        ConfigError: no such key, or the package py-minisign is missing.
        IntegrityError: when called: no signature, one by another key, or one of another manifest.
    """

    def __init__(self, directory: pathlib.Path, public_key: str | os.PathLike):
        self._directory, self._minisign = directory, _minisign()
        self.comment = ""
        text = os.fspath(public_key)
        try:
            if len(text) == 56 and text.startswith("RW") and not os.path.lexists(text):
                self._key = self._minisign.PublicKey.from_base64(text)
            else:
                content = reading.read_bytes(text, limit=_LIMIT, error=ConfigError, missing=ConfigError)
                self._key = self._minisign.PublicKey.from_bytes(content)
        except ConfigError:
            raise
        except (self._minisign.Error, ValueError) as error:
            raise ConfigError(f"{text!r} is no public key of minisign: {error}.") from error

    def __call__(self, content: bytes) -> None:
        where = f"{SIGNATURE} in {str(self._directory)!r}"
        path = self._directory / SIGNATURE
        if not os.path.lexists(path):
            raise IntegrityError(
                f"{str(self._directory)!r} is not signed: it has no {SIGNATURE}. Ask its maker for one, or verify it"
                " without a public key."
            )
        text = reading.read_bytes(path, limit=_LIMIT, follow_links=False, error=IntegrityError, missing=IntegrityError)
        try:
            signature = self._minisign.Signature.from_bytes(text)
            self._key.verify(content, signature)
        except self._minisign.VerifyError as error:
            raise IntegrityError(
                f"{where} was not made with this public key for this manifest ({error}). Do not use the model."
            ) from error
        except (self._minisign.Error, ValueError) as error:
            raise IntegrityError(f"{where} is no signature of minisign: {error}.") from error
        self.comment = signature.trusted_comment


def _minisign():
    try:
        import minisign
    except ImportError as error:
        raise ConfigError('Signatures need the package py-minisign: pip install "autoencoder-zoo[signing]".') from error
    return minisign
