"""Making the zoo's classes known to Keras, so that `keras.saving.load_model` finds them, without importing Keras."""

import importlib
import importlib.util
import sys


class _ClassToImport:
    """Stands for a class in Keras' table of registered classes; the class itself replaces it once it is imported."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def from_config(self, config: dict, **options):
        """An object of the class, which is imported now."""
        return getattr(importlib.import_module(self._module), self._name).from_config(config, **options)


class _AfterImportOfKeras:
    """Finds Keras as everybody else does, and runs a function once it is imported: many only ask where it is."""

    def __init__(self, then) -> None:
        self._then, self._searching = then, False

    def find_spec(self, name, path, target=None):
        if name != "keras" or self._searching:
            return None
        self._searching = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._searching = False
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_continue(module):
                execute(module)
                if self in sys.meta_path:
                    sys.meta_path.remove(self)
                    self._then(module)

            spec.loader.exec_module = execute_and_continue
        return spec


def register(package: str, classes: dict[str, str]) -> None:
    """Register classes with Keras: at once if it is imported already, otherwise as soon as it is.

    Keras imports no module but its own when a file names a class, so the classes have to be known before.

    Args:
        package: name of the package under which they are registered.
        classes: class name to the module that imports it.
    """

    def enter(keras) -> None:
        known = keras.saving.get_custom_objects()
        for name, module in classes.items():
            known.setdefault(f"{package}>{name}", _ClassToImport(module, name))

    imported = sys.modules.get("keras")
    if hasattr(imported, "saving"):
        enter(imported)
    else:
        sys.meta_path.insert(0, _AfterImportOfKeras(enter))
