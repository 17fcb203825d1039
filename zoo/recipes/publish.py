"""Writing a trained model with everything that a pretrained model of the catalog has."""

from zoo.catalog.card import GOLDEN, PICTURE
from zoo.catalog.save import save, write_card
from zoo.core import files
from zoo.recipes import golden, pictures


def publish(model, directory, test=None, **metadata):
    """`zoo.save`, and with test samples also a picture for the card and golden outputs; all files appear together.

    Args:
        model, directory, **metadata: as for `zoo.save`, with the name.
        test: Source of test samples, or None.

    Returns:
        zoo.Card.
    """
    with files.staged(directory) as staging:
        card = save(model, staging, **metadata)
        if test is not None:
            golden.write(staging / GOLDEN, model, test)
            pictures.save(pictures.of_model(card, model, test), staging / PICTURE)
            write_card(card, staging, PICTURE)
    return card
