"""Folders of models, read by `zoo.load`."""

import functools
import shutil

import numpy as np

from hostile import arrays, folders, hdf5, json_text, raw, sealing, victims
from hostile.trial import Trial
from zoo.catalog.card import CONFIG, GOLDEN, METADATA, WEIGHTS

# How a changed folder is read: as it was found; after an attacker made all hashes fit; without asking for them.
FOUND, SEALED, UNSEALED = "found", "sealed again", 'trust="unsealed"'
LIMIT = 2e8  # memory_limit of zoo.load


def _in_file(name, mutate):
    def change(folder, canary, others, rng):
        path = folder / name
        content, detail = mutate(path.read_bytes(), rng)
        path.write_bytes(content)
        return f"{name}: {detail}"

    return change


def _objects(folder, canary, others, rng):
    if rng.random() < 0.15:
        return hdf5.copy_otherwise(folder / WEIGHTS, rng)
    return hdf5.change_objects(folder / WEIGHTS, canary, rng)


def _exchanged(folder, canary, others, rng):
    """A file of another model."""
    other = rng.choice([path for path in others if path.name != folder.name])
    name = rng.choice([name for name in folders.READ if (other / name).exists() and (folder / name).exists()])
    shutil.copy(other / name, folder / name)
    return f"{name} of {other.name}"


def _in_folder(change):
    return lambda folder, canary, others, rng: change(folder, canary, rng)


# Row of the table -> (share of the cases, function of (folder, canary, all models, rng) that returns what it changed).
ROWS = {
    "config.json, structure": (4, _in_file(CONFIG, json_text.mutated)),
    "config.json, bytes": (1, _in_file(CONFIG, raw.mutated)),
    "metadata.json, structure": (3, _in_file(METADATA, json_text.mutated)),
    "metadata.json, bytes": (1, _in_file(METADATA, raw.mutated)),
    "manifest.json, structure": (2, _in_file(sealing.MANIFEST, json_text.mutated)),
    "manifest.json, bytes": (1, _in_file(sealing.MANIFEST, raw.mutated)),
    "weights, objects of HDF5": (5, _objects),
    "weights, structures of HDF5": (3, _in_file(WEIGHTS, hdf5.change_structures)),
    "weights, bytes": (2, _in_file(WEIGHTS, raw.mutated)),
    "golden.npz, arrays": (1, _in_file(GOLDEN, arrays.mutated_npz)),
    "golden.npz, bytes": (1, _in_file(GOLDEN, raw.mutated)),
    "a file of another model": (1, _exchanged),
    "a link, pipe, device or nothing for a file": (3, _in_folder(folders.replace_file)),
    "what an interrupted writer leaves": (3, _in_folder(folders.add_leftovers)),
    "more files": (1, _in_folder(folders.add_files)),
}


def trial(row, rng, place, root, computed):
    """The trial of a row: a damaged copy of a model below `place`, of those below `root`."""
    others = sorted((root / victims.MODELS).iterdir())
    change = ROWS[row][1]
    needed = next((name for name in folders.READ if row.startswith(name)), None)
    has = [path for path in others if needed is None or (path / needed).is_file()]
    # A small one nine times of ten: they load in a fraction of the time, by the same code.
    small = [path for path in has if path.name not in victims.SHIPPED]
    model = rng.choice(small if small and rng.random() < 0.9 else has)
    folder, canary = place / model.name, place / "canary"
    shutil.copytree(model, folder)
    folders.canary(canary, model)
    detail = change(folder, canary, others, rng)
    form = rng.choices((FOUND, SEALED, UNSEALED), (3, 5, 2))[0]
    if row.startswith("manifest"):
        form = FOUND  # who changes the manifest and makes it fit again has changed nothing
    if form == UNSEALED and not (folder / sealing.MANIFEST).is_dir():
        (folder / sealing.MANIFEST).unlink(missing_ok=True)
    if form == SEALED or (form == UNSEALED and rng.random() < 0.7):
        sealing.seal_folder(folder)
    path = folder
    if rng.random() < 0.05:  # a user may name a model by a link
        path = place / "link"
        path.symlink_to(folder)
    expected = computed[model.name], computed[f"{model.name}/reconstruct"]
    read = functools.partial(_read, path, form, expected, model, rng.random() < 0.3)
    return Trial(row, f"{model.name}, {form}: {detail}", folder, read, canary)


def _read(path, form, expected, pristine, verify):
    import zoo

    options = {"memory_limit": LIMIT, "verify": verify}
    if form == UNSEALED:
        options["trust"] = "unsealed"
    model = zoo.load(path, **options)
    card = zoo.card(path, trust=options.get("trust", "sealed"))
    x, outputs = expected
    if model.input_shape != x.shape[1:]:
        if np.prod(model.input_shape) < 1e6:
            model.reconstruct(np.zeros((1, *model.input_shape), "float32"))
        same = False
    else:
        same = np.allclose(model.reconstruct(x), outputs, rtol=1e-5, atol=1e-6, equal_nan=True)
    same = same and card == zoo.card(pristine)
    return "same numbers" if same else "other numbers" if form == FOUND else "another model"
