"""Writing a trained model with everything that a pretrained model of the catalog has."""

from zoo.catalog.card import PICTURE
from zoo.catalog.save import checked_metadata, write_card, write_model
from zoo.core import files
from zoo.recipes import pictures
from zoo.recipes.recipe import FILE_NAME


def publish(model, directory, test=None, recipe_text=None, **metadata):
    """`zoo.save`, and with test samples also a picture and their golden outputs; all files appear together.

    Args:
        model, directory, **metadata: as for `zoo.save`, with the name.
        test: Source of test samples, or None.
        recipe_text: bytes of the recipe, for a directory other than the recipe's own; or None.

    Returns:
        zoo.Card.
    """
    with files.staged(directory, sealed=True) as staging:
        if recipe_text is not None:
            (staging / FILE_NAME).write_bytes(recipe_text)
        card = write_model(model, staging, checked_metadata(metadata), test)
        if test is not None:
            pictures.save(pictures.of_model(card, model, test), staging / PICTURE)
            write_card(card, staging, PICTURE)
    return card
