"""Loading what somebody else made: nothing is written, nothing outside is touched, no change goes unnoticed."""

import json
import os
import shutil
import threading

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import zoo
from tests.base import resealed
from zoo.catalog.seal import seal, verify
from zoo.cli import main
from zoo.core.errors import DataError, DataNotFoundError, ExportError, IntegrityError, OutputError, UnknownNameError

FILES = ["README.md", "config.json", "golden.npz", "metadata.json", "model.weights.h5"]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    directory = tmp_path_factory.mktemp("saved") / "mine"
    zoo.save(zoo.feed_forward((8, 8, 1), 4), directory)
    return directory


@pytest.fixture
def saved(original, tmp_path):
    shutil.copytree(original, tmp_path / "mine")
    return tmp_path / "mine"


def _state(directory):
    return {p.relative_to(directory).as_posix(): p.is_file() and p.read_bytes() for p in directory.rglob("*")}


@pytest.mark.parametrize("pending", ["link", "folder"])
def test_loading_moves_replaces_and_deletes_nothing(saved, tmp_path, pending):
    other = tmp_path / "letters"
    (other / "golden.npz").mkdir(parents=True)
    (other / "config.json").write_text("{}")
    if pending == "link":
        (saved / ".zoo-pending").symlink_to(other)
    else:
        shutil.copytree(other, saved / ".zoo-pending")
    before = _state(tmp_path)
    weights = zoo.load(saved, verify=True).get_weights()
    zoo.card(saved)
    verify(saved)
    assert _state(tmp_path) == before
    (saved / ".zoo-pending").unlink() if pending == "link" else shutil.rmtree(saved / ".zoo-pending")
    assert all(map(np.array_equal, weights, zoo.load(saved).get_weights()))


@pytest.mark.parametrize("name", ["config.json", "metadata.json", "model.weights.h5", "golden.npz"])
def test_one_changed_byte_of_any_file_that_decides_a_number(saved, name):
    content = bytearray((saved / name).read_bytes())
    content[len(content) // 2] ^= 1
    (saved / name).write_bytes(content)
    with pytest.raises(IntegrityError, match=f"{name} in '.*mine' was changed or damaged: expected SHA-256"):
        zoo.load(saved)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "manifest.json"])
def test_links_out_of_the_folder_are_not_followed(saved, tmp_path, name):
    (saved / name).rename(tmp_path / name)
    (saved / name).symlink_to(tmp_path / name)
    with pytest.raises(IntegrityError, match=f"'.*mine/{name}' is a symbolic link"):
        zoo.load(saved)


def test_a_folder_that_is_itself_a_link_loads(saved, tmp_path):
    (tmp_path / "link").symlink_to(saved)
    assert zoo.load(tmp_path / "link").latent_shape == (4,)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "metadata.json", "manifest.json"])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_pipes_and_devices_neither_hang_nor_fill_memory(saved, name, kind):
    (saved / name).unlink()
    try:
        os.mkfifo(saved / name) if kind == "pipe" else os.mknod(saved / name, 0o20666, os.makedev(1, 5))  # /dev/zero
    except PermissionError:
        pytest.skip("only root makes devices")
    with pytest.raises(
        (IntegrityError, DataNotFoundError), match="Received a (named pipe|device)|has no metadata.json"
    ):
        zoo.load(saved)


def test_golden_outputs_that_the_model_does_not_give(saved):
    with np.load(saved / "golden.npz") as stored:
        arrays = {**stored, "latent": stored["latent"] + 1}
    np.savez(saved / "golden.npz", **arrays)
    resealed(saved)
    assert zoo.load(saved).latent_shape == (4,)
    with pytest.raises(IntegrityError, match="'mine' no longer gives its golden latent: .* Received 1.0e"):
        zoo.load(saved, verify=True)
    for changes, message in (
        (
            {"samples": arrays["samples"][:3]},
            r"golden latent of 'mine' should be float32 \(3, 4\). Received float32 \(4, 4",
        ),
        ({"latent": arrays["latent"].astype("U")}, "golden latent of 'mine' should be float32"),
        ({"samples": arrays["samples"][:, :4]}, "samples that it does not take: .* wrong shape"),
        ({"more": arrays["latent"]}, "golden output of 'mine' is damaged: it holds"),
    ):
        np.savez(saved / "golden.npz", **{**arrays, **changes})
        resealed(saved)
        with pytest.raises(IntegrityError, match=message):
            zoo.load(saved, verify=True)
    (saved / "golden.npz").write_bytes(b"PK")
    resealed(saved)
    with pytest.raises(IntegrityError, match="golden output of 'mine' is not a plain NumPy file"):
        zoo.load_encoder(saved, verify=True)
    (saved / "golden.npz").unlink()
    resealed(saved)
    with pytest.raises(IntegrityError, match="'mine' has no golden.npz to be verified with"):
        zoo.load(saved, verify=True)


def test_golden_outputs_are_those_of_float32_in_any_precision(saved, tmp_path):
    """The weights of all precisions are float32, and a model may be loaded where another policy is set."""
    try:
        keras.mixed_precision.set_global_policy("mixed_float16")
        zoo.load(saved, verify=True)
        zoo.save(zoo.convolutional((8, 8, 1), 4, (3,)), tmp_path / "half")
    finally:
        keras.mixed_precision.set_global_policy("float32")
    model = zoo.load(tmp_path / "half", verify=True)
    with np.load(tmp_path / "half" / "golden.npz") as stored:
        assert stored["latent"].dtype == "float32"  # in float16 it would be 1e-3 away
        np.testing.assert_allclose(stored["latent"], model.encode(stored["samples"]), atol=1e-5)


def test_a_folder_of_an_older_version_is_sealed_by_hand(saved):
    (saved / "manifest.json").unlink()
    for opened in (zoo.load, zoo.card, verify):
        with pytest.raises(IntegrityError, match="has no manifest.json.* zoo seal DIRECTORY.* trust='unsealed'"):
            opened(saved)
    assert (
        zoo.load(saved, trust="unsealed").latent_shape == (4,) == zoo.card(saved, trust="unsealed").input.latent_shape
    )
    with pytest.raises(UnknownNameError, match="Unknown trust 'yes'"):
        zoo.load(saved, trust="yes")
    assert seal(saved) == FILES
    assert verify(saved) == FILES


def test_sealing_refuses_what_does_not_belong_together(saved):
    config = json.loads((saved / "config.json").read_text())
    for changes, message in (
        ({"latent_activation": "sigmoid"}, "no longer gives its golden latent"),
        ({"latent_dim": 5}, "do not fit its config.json"),
    ):
        (saved / "config.json").write_text(json.dumps({**config, **changes}))
        with pytest.raises(IntegrityError, match=message):
            seal(saved)
    with pytest.raises(DataNotFoundError, match="No such directory"):
        seal(saved / "absent")


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", "..", "\x1b[2J", "a\\b", ""])
def test_a_name_is_no_path(saved, name):
    """Files are written under it: exported/NAME, NAME.png."""
    metadata = json.loads((saved / "metadata.json").read_text())
    (saved / "metadata.json").write_text(json.dumps({**metadata, "name": name}))
    resealed(saved)
    with pytest.raises(IntegrityError, match="name in metadata.json must be str"):
        zoo.load(saved)


def test_a_dataset_that_a_card_names_is_not_read_from_a_path(saved, tmp_path):
    np.save(tmp_path / "secret.npy", np.zeros((4, 8, 8, 1), "uint8"))
    zoo.save(zoo.load(saved), saved, dataset={"name": str(tmp_path / "secret.npy")})
    model = zoo.load(saved)
    assert zoo.card(saved).dataset.to_load is None
    with pytest.raises(ExportError, match="calibration"):
        zoo.export(model, tmp_path / "exported", "tflite", quantization="int8")
    with pytest.raises(DataError, match="No dataset to evaluate on: pass dataset="):
        zoo.evaluate(saved)
    zoo.save(model, saved, dataset={"name": "mnist+digits"})
    assert zoo.card(saved).dataset.to_load == "mnist+digits"


def test_saving_again_leaves_nothing_of_the_earlier_model(saved):
    (saved / "card.png").write_bytes(b"old")
    (saved / "notes.txt").write_text("mine")
    zoo.save(zoo.feed_forward((8, 8, 1), 2), saved)
    assert sorted(p.name for p in saved.iterdir()) == sorted([*FILES, "manifest.json", "notes.txt"])
    assert zoo.load(saved, verify=True).latent_shape == (2,)


def test_two_writers(saved):
    from zoo.core import files

    refused = []

    def save():
        try:
            zoo.save(zoo.feed_forward((8, 8, 1), 2), saved)
        except OutputError as error:
            refused.append(str(error))

    with files.held(saved):
        thread = threading.Thread(target=save)
        thread.start()
        thread.join()
    assert len(refused) == 1 and f"is being written by process {os.getpid()} on" in refused[0]
    assert zoo.load(saved).latent_shape == (4,)


def test_the_command(saved, original):
    run = CliRunner().invoke
    result = run(main, ["verify", str(saved), "mnist-feed-forward-8"])
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{saved}: ok, 5 files and the golden output",
        "mnist-feed-forward-8: ok, 6 files and the golden output",
    ]
    (saved / "README.md").write_text("changed")
    result = run(main, ["verify", str(saved), str(original)])
    assert result.exit_code == 2
    assert result.stdout == f"{original}: ok, 5 files and the golden output\n"
    assert "README.md in" in result.stderr and "was changed or damaged" in result.stderr
    assert run(main, ["seal", str(saved)]).stdout == f"Sealed {saved}: {', '.join(FILES)}.\n"
    assert run(main, ["verify", str(saved)]).exit_code == 0
    result = run(main, ["seal", str(saved / "absent")])
    assert (result.exit_code, result.stderr[:25]) == (2, "Error: No such directory:")


def test_an_exported_folder(saved, tmp_path):
    zoo.export(zoo.load(saved), tmp_path / "exported", ("tflite", "onnx"))
    run = CliRunner().invoke
    assert run(main, ["verify", str(tmp_path / "exported")]).stdout == f"{tmp_path / 'exported'}: ok, 3 files\n"
    (tmp_path / "exported" / "model.onnx").write_bytes(b"x")
    result = run(main, ["verify", str(tmp_path / "exported")])
    assert result.exit_code == 2 and "model.onnx in" in result.stderr
