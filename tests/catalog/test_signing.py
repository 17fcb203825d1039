import shutil
import sys

import minisign
import pytest
from click.testing import CliRunner

import zoo
from zoo.catalog import signing
from zoo.cli import main
from zoo.core import manifest
from zoo.core.errors import ConfigError, IntegrityError

PASSWORD = "an open secret"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Folder with a.key and a.pub, b.key and b.pub, and a.locked, which is a.key with a password."""
    folder = tmp_path_factory.mktemp("keys")
    for name in "ab":
        pair = minisign.KeyPair.generate()
        (folder / f"{name}.key").write_bytes(bytes(pair.secret_key))
        (folder / f"{name}.pub").write_bytes(bytes(pair.public_key))
    key = minisign.SecretKey.from_file(folder / "a.key")
    key.encrypt(PASSWORD, opslimit=2**15, memlimit=2**24)
    (folder / "a.locked").write_bytes(bytes(key))
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    directory = tmp_path_factory.mktemp("saved") / "small"
    zoo.save(zoo.feed_forward((4, 4, 1), 2), directory)
    return directory


@pytest.fixture
def model(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "small")


def no_password():
    raise AssertionError("this key has none")


def test_a_signed_manifest(model, keys):
    assert signing.sign(model, keys / "a.key", no_password) == "small version 1"
    for key in (keys / "a.pub", str(keys / "a.pub"), (keys / "a.pub").read_text().split()[-1]):
        signed = signing.Signed(model, key)
        seen = manifest.check(model, signed)
        assert signed.comment == "small version 1"
        assert {"config.json", "metadata.json", "model.weights.h5"} <= seen.keys()
    assert zoo.load(model).latent_shape == (2,)


def test_a_key_with_a_password(model, keys):
    with pytest.raises(ConfigError, match="a.locked': wrong password for that key"):
        signing.sign(model, keys / "a.locked", lambda: "another")
    assert not (model / signing.SIGNATURE).exists()
    signing.sign(model, keys / "a.locked", lambda: PASSWORD)
    manifest.check(model, signing.Signed(model, keys / "a.pub"))


def test_every_use_of_a_manifest_is_of_signed_bytes(model, keys):
    signing.sign(model, keys / "a.key", no_password)
    text = (model / manifest.MANIFEST).read_bytes()
    used = []
    manifest.read(model, {"config.json": 1e6}, accept=used.append)
    manifest.check(model, used.append)
    assert used == [text, text]
    (model / manifest.MANIFEST).write_bytes(text + b"\n")  # says the same, but is not what was signed
    manifest.check(model)
    for use in (manifest.check, lambda *arguments: manifest.read(*arguments[:1], {}, accept=arguments[1])):
        with pytest.raises(IntegrityError, match="was not made with this public key for this manifest"):
            use(model, signing.Signed(model, keys / "a.pub"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is not signed: it has no manifest.json.minisig"),
        (b"", "is no signature of minisign: invalid number of lines"),
        (b"\xff\n\xff\n\xff\n\xff\n", "is no signature of minisign"),
        (b"a" * 20000, "too large"),
    ],
)
def test_no_signature(model, keys, content, message):
    if content is not None:
        (model / signing.SIGNATURE).write_bytes(content)
    with pytest.raises(IntegrityError, match=message):
        manifest.check(model, signing.Signed(model, keys / "a.pub"))


def test_a_changed_signature(model, keys):
    signing.sign(model, keys / "a.key", no_password)
    lines = (model / signing.SIGNATURE).read_bytes().splitlines()
    for number in (1, 2, 3):  # signature, trusted comment, signature of both
        changed = lines.copy()
        other = b"B" if changed[number][-9:-8] == b"A" else b"A"
        changed[number] = changed[number][:-9] + other + changed[number][-8:]
        (model / signing.SIGNATURE).write_bytes(b"\n".join(changed))
        with pytest.raises(IntegrityError, match="was not made with this public key"):
            manifest.check(model, signing.Signed(model, keys / "a.pub"))


@pytest.mark.parametrize("key", ["absent.pub", "a.key", "RW" + "A" * 54, "", "\0"])
def test_no_key(model, keys, key, monkeypatch):
    monkeypatch.chdir(keys)
    with pytest.raises(ConfigError):
        signing.Signed(model, key)
    if key != "a.key":
        with pytest.raises(ConfigError):
            signing.sign(model, key, no_password)


def test_without_the_package(model, keys, monkeypatch):
    monkeypatch.setitem(sys.modules, "minisign", None)
    for use in (
        lambda: signing.Signed(model, keys / "a.pub"),
        lambda: signing.sign(model, keys / "a.key", no_password),
    ):
        with pytest.raises(ConfigError, match=r"pip install .autoencoder-zoo\[signing\]"):
            use()
    assert zoo.load(model).latent_shape == (2,)


def test_commands(model, keys):
    def run(*arguments, **options):
        return CliRunner().invoke(main, list(map(str, arguments)), **options)

    assert "is not signed" in run("verify", model, "--public-key", keys / "a.pub").stderr
    result = run("seal", model, "--secret-key", keys / "a.locked", input=f"{PASSWORD}\n")
    assert result.output.endswith("Signed small version 1.\n"), result.output
    result = run("verify", model, "--public-key", keys / "a.pub")
    assert result.exit_code == 0
    assert result.output.endswith("signed as small version 1\n")
    result = run("verify", model, "--public-key", keys / "b.pub")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "was not made with this public key" in result.stderr
    result = run("seal", model, "--secret-key", keys / "a.locked", input="another\n")
    assert result.exit_code == 2 and "wrong password" in result.stderr
