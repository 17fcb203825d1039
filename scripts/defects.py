#!/usr/bin/env python
"""Defects of magnetic tiles, found from pictures of normal tiles alone: the tables of docs/defects.md.

The archive holds a folder for each kind of tile, "MT_Free" for the normal ones, with pictures of 128 x 128 pixels. They
are those of Huang, Qiu and Yuan (2018), github.com/abin24/Magnetic-tile-defect-datasets., which states no licence: so
neither pictures nor anything made from them are part of this repository.

    scripts/defects.py magnetic_tile_128.zip    # prints the tables
    scripts/defects.py --picture                # writes docs/defects.png, of synthetic pictures
"""

import io
import pathlib
import zipfile

import click
import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.sparse import csgraph
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

import zoo
from zoo.core.tables import markdown_table

ROOT = pathlib.Path(__file__).parents[1]
TRAIN = 762  # of the random split, as published
CHOSEN_ON = ("MT_Blowhole", "MT_Uneven")  # settings were chosen on some of these, and on normal tiles of the training
COMPONENTS = 350
ENCODER = "cifar10-jpeg-convolutional-pooled-256"


def read(archive):
    """(pictures float32 (n, 128, 128) in [0, 1], kinds (n,)) of an archive."""
    with zipfile.ZipFile(archive) as opened:
        names = [name for name in opened.namelist() if name.endswith(".jpg")]
        pictures = [np.asarray(Image.open(io.BytesIO(opened.read(name))).convert("L")) for name in names]
    return np.stack(pictures).astype("float32") / 255, np.array([name.split("/")[0] for name in names])


def smaller(pictures, side):
    """Means of the pixels that fall into each of fewer ones: (n, 128, 128) to (n, side, side)."""
    return np.stack([Image.fromarray(picture).resize((side, side), Image.Resampling.BOX) for picture in pictures])


def tiles_of(pictures):
    """Numbers (n,) of groups of pictures: those of one tile under several lights lie in the same one.

    Nothing in the file names says which these are. Pictures whose fine texture correlates by more than .35 are taken
    for the same tile, which joins some different ones too.
    """
    texture = ndimage.gaussian_filter(pictures, (0, 0.7, 0.7)) - ndimage.gaussian_filter(pictures, (0, 3, 3))
    texture /= np.sqrt(ndimage.gaussian_filter(np.square(texture), (0, 8, 8))) + 0.005
    texture = texture[:, ::2, ::2].reshape(len(pictures), -1)
    return csgraph.connected_components(np.corrcoef(texture) > 0.35)[1]


def splits(normal):
    """Split name to (train, test) of the normal pictures, in random order."""
    random = np.random.default_rng(0)
    order = random.permutation(len(normal))
    yield "random", normal[order[:TRAIN]], normal[order[TRAIN:]]
    random = np.random.default_rng(0)
    tiles = tiles_of(normal)
    counts = np.bincount(tiles)
    test = []
    for tile in random.permutation(len(counts)):
        if tile != counts.argmax() and counts[test].sum() < len(normal) - TRAIN:
            test.append(tile)
    held_out = np.isin(tiles, test)
    train = normal[~held_out]
    yield "by tile", train[random.permutation(len(train))], normal[held_out]


def linear_autoencoder(pictures, components):
    """The linear autoencoder of the lowest error on these pictures, which are (n, h, w, 1)."""
    pca = PCA(components, random_state=0).fit(pictures.reshape(len(pictures), -1))
    model = zoo.feed_forward(pictures.shape[1:], components, (), latent_activation="linear", output_activation="linear")
    kernel, mean = pca.components_.astype("float32"), pca.mean_.astype("float32")
    model.set_weights([kernel.T, -mean @ kernel.T, kernel, mean])
    return model


def methods(train):
    """Name of a method to (side of its pictures, function from pictures (n, side, side, 1) to scores)."""
    at = {side: smaller(train, side)[..., None] for side in (32, 48, 64)}
    for components in (16, 64, 200):
        model = linear_autoencoder(at[48], components)
        yield f"PCA-{components} of 48 x 48 pixels, mean squared error", 48, model.score
    fitted = 2 * len(train) // 3  # errors of pictures that an autoencoder has seen are too small
    model = linear_autoencoder(at[32], COMPONENTS)
    yield f"PCA-{COMPONENTS} of 32 x 32 pixels, mean squared error", 32, model.score
    model = linear_autoencoder(at[32][:fitted], COMPONENTS)
    for score in zoo_scores():
        detector = zoo.patch_detector(
            model, at[32][fitted:], features="error", memory="gaussian", dimensions=9, score=score
        )
        yield f"`patch_detector` of PCA-{COMPONENTS}'s errors, Gaussian, {score}", 32, detector.score
    encoder = zoo.load_encoder(ENCODER)
    for memory in ("coreset", "gaussian"):
        for score in zoo_scores():
            detector = zoo.patch_detector(
                encoder, at[64], layers=1, neighbourhood=1, memory=memory, coreset=500, score=score
            )
            yield f"`patch_detector` of {ENCODER}, {memory}, {score}", 64, detector.score


def zoo_scores():
    """The scores of a patch detector."""
    return ("maximum", "relative")


def tables(archive, only=None):
    """Markdown tables, one of each split, or of one of them."""
    pictures, kinds = read(archive)
    defects = sorted({*kinds} - {"MT_Free"})
    for split, train, test in splits(pictures[kinds == "MT_Free"]):
        if only not in (None, split):
            continue
        rows = []
        for name, side, score in methods(train):
            scores = {kind: score(smaller(pictures[kinds == kind], side)[..., None]) for kind in defects}
            usual = score(smaller(test, side)[..., None])
            new = [scores[kind] for kind in defects if kind not in CHOSEN_ON]
            sets = [np.concatenate(list(scores.values())), np.concatenate(new), *scores.values()]
            areas = [roc_auc_score(np.repeat([0, 1], [len(usual), len(s)]), np.r_[usual, s]) for s in sets]
            rows.append([name, *(f"{area:.3f}".lstrip("0") for area in areas)])
            click.echo(rows[-1], err=True)
        titles = [kind.removeprefix("MT_").lower() for kind in defects]
        yield f"### Split: {split} ({len(train)} normal pictures to learn from, {len(test)} to test)"
        yield markdown_table(["method", "all kinds", "kinds not chosen on", *titles], rows)


def picture(path):
    """Draw synthetic parts, one of them scratched, and their heat maps."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    random = np.random.default_rng(0)
    phases = random.uniform(0, 2 * np.pi, (64, 1, 1))
    parts = 0.5 + 0.2 * np.sin(np.arange(96)[None, None] / 2.5 + phases) + random.normal(0, 0.03, (64, 96, 96))
    parts = np.clip(parts, 0, 1).astype("float32")[..., None]
    for step in range(24):
        parts[62, 30 + step, 40 + step // 2 : 43 + step // 2] = 0.9
    parts[63, 60:68, 20:28] = parts[0, 10:18, 30:38].transpose(1, 0, 2)
    model = zoo.patch_detector(zoo.load_encoder(ENCODER), parts[:60], layers=1)
    figure, axes = pyplot.subplots(2, 3, figsize=(6, 4))
    maps = model.explain(parts[61:])
    for column, (part, heat) in enumerate(zip(parts[61:], maps, strict=True)):
        axes[0, column].imshow(part[..., 0], cmap="gray", vmin=0, vmax=1)
        axes[1, column].imshow(heat, cmap="inferno", vmin=0, vmax=maps.max())
        axes[0, column].set_title(("normal", "scratch", "turned patch")[column], fontsize=9)
    for axis in axes.flat:
        axis.axis("off")
    figure.tight_layout()
    figure.savefig(path, dpi=90)


@click.command(help=__doc__)
@click.argument("archive", required=False, type=click.Path(exists=True, dir_okay=False))
@click.option("--picture", "draw", is_flag=True, help="Write docs/defects.png.")
@click.option("--split", type=click.Choice(["random", "by tile"]), help="Only this split.")
def main(archive, draw, split):
    """Measure, or draw."""
    if draw:
        picture(ROOT / "docs" / "defects.png")
    if archive:
        for text in tables(archive, split):
            click.echo(f"{text}\n")


if __name__ == "__main__":
    main()
