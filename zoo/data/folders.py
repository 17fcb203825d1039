"""Finding the image files in a folder that somebody else may have made."""

import os
import pathlib

from zoo.core import reading
from zoo.core.errors import DataError
from zoo.data.images import is_hidden, is_image_file

_VARIABLE = "ZOO_FOLLOW_LINKS"
_REMEDY = f"follow_links=True, or set {_VARIABLE}=1"


def found_images(root, follow_links=False, depth=None):
    """Paths of all image files below a folder, as tuples of their parts below it, in no order.

    Args:
        root: path of the folder, which may itself be a link.
        follow_links: whether links may lead out of it, and several links to one folder. The environment variable
            ``ZOO_FOLLOW_LINKS=1`` says so for every folder.
        depth: number of parts of the paths wanted; None takes all.

    Raises:
        DataError: a folder that may not be read, a link that is not followed or that leads back to where it is.
    """
    follow_links = follow_links or os.environ.get(_VARIABLE) == "1"
    found, links = [], _Links(root, follow_links, skip=depth is None)
    pending = [((), frozenset())]  # folders to read, each with the identities of those that hold it
    while pending:
        parts, above = pending.pop()
        folder = "/".join((str(root), *parts))
        try:
            within = above | {_identity(folder)}
            for entry in os.scandir(folder):
                member = (*parts, entry.name)
                is_last = len(member) == depth
                is_folder = not is_last and not is_hidden(entry.name) and entry.is_dir()
                is_image = (is_last or (depth is None and not is_folder)) and is_image_file(member)
                if not is_folder and not is_image:
                    continue
                if entry.is_symlink() and not links.lead_on(entry.path, is_folder, within):
                    continue
                if is_folder:
                    pending.append((member, within))
                else:
                    found.append(member)
        except OSError as problem:
            raise DataError(f"{problem.filename or folder!r} {reading.reason(problem)}.") from problem
    return found


class _Links:
    """Which links of a folder are followed; `skip` those to folders of it that are read without a link."""

    def __init__(self, root, follow, skip):
        self._inside = os.path.realpath(root).rstrip(os.sep) + os.sep
        self._follow, self._skip, self._reached = follow, skip, set()

    def lead_on(self, path, is_folder, above):
        """Whether to follow the link at `path`, in folders of the identities `above`; `DataError` if it is refused."""
        target = os.path.realpath(path)
        is_inside = (target + os.sep).startswith(self._inside)
        if not self._follow and not is_inside:
            raise DataError(
                f"{path!r} is a link that leads out of its folder, to {target!r}. If you trust it, pass"
                f" {_REMEDY}; otherwise replace it by a copy of the file or folder."
            )
        if not is_folder:
            return True
        if self._skip and is_inside and not any(map(is_hidden, pathlib.Path(target[len(self._inside) :]).parts)):
            return False
        identity = _identity(path)
        if identity in above:
            raise DataError(f"{path!r} is a link to a folder that holds it, {target!r}. Remove it.")
        if not self._follow and identity in self._reached:
            raise DataError(
                f"{path!r} is one of several links to the folder {target!r}. If that is meant, pass"
                f" {_REMEDY}; otherwise remove it."
            )
        self._reached.add(identity)
        return True


def _identity(path):
    status = pathlib.Path(path).stat()
    return status.st_dev, status.st_ino
