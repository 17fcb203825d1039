"""The import graph of the package: every folder imports only folders that stand before it."""

import ast
import pathlib
import subprocess
import sys

import pytest

PACKAGE = pathlib.Path(__file__).parents[1] / "zoo"
ORDER = (
    "core",
    "layers",
    "data",
    "engine",
    "autoencoder",
    "families",
    "evaluation",
    "transfer",
    "exporting",
    "catalog",
    "recipes",
    "streaming",
    "lite",
    "recommending",
    "benchmark",
    "cli",
)
ON_TOP = ("recipes", "benchmark", "cli")  # may use the public names, which stand for all that is below them


def _imported(tree):
    """Names of the modules of zoo that a module imports, anywhere in it; a text for `import_module` counts too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            if node.module == "zoo":
                yield from (f"zoo.{alias.name}" for alias in node.names)
            elif (node.module or "").startswith("zoo."):
                yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "zoo")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (a.value for a in node.args if isinstance(a, ast.Constant) and a.value.startswith("zoo."))


def _arrows(root=PACKAGE):
    """Triples (file, folder, imported folder); None stands for the public names of `zoo` itself."""
    for file in sorted(root.rglob("*.py")):
        folder = file.relative_to(root).parts[0].removesuffix(".py")
        if folder == "__init__":
            continue
        for module in _imported(ast.parse(file.read_text(encoding="utf-8"))):
            parts = module.split(".")
            target = parts[1] if len(parts) > 1 and parts[1] in ORDER else None
            if target != folder:
                yield str(file.relative_to(root)), folder, target


def _wrong(arrows):
    """The arrows that point upwards, or through the public names from a folder that is below some of them."""
    for file, folder, target in arrows:
        if target is None:
            if folder not in ON_TOP:
                yield f"{file} imports the public names of zoo"
        elif ORDER.index(target) > ORDER.index(folder):
            yield f"{file} imports {target}, which stands above {folder}"


def test_every_folder_has_a_place():
    names = {path.name for path in PACKAGE.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))} - {
        "__init__.py"
    }
    assert {name for name in names if name.endswith(".py")} == {"autoencoder.py", "lite.py"}
    assert {name.removesuffix(".py") for name in names} == set(ORDER)


def test_no_folder_imports_what_stands_above_it():
    assert list(_wrong(_arrows())) == []


def test_no_circle_of_modules():
    """Of modules, too: inside a folder and on first import, where a circle fails or depends on the order."""
    graph = {}
    for file in PACKAGE.rglob("*.py"):
        name = ".".join(("zoo", *file.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        tree = ast.parse(file.read_text(encoding="utf-8"))
        graph[name] = set()
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "zoo":
                graph[name] |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
            elif isinstance(node, ast.Import):
                graph[name] |= {alias.name for alias in node.names}
    graph = {name: {n for n in names if n in graph and n not in (name, "zoo")} for name, names in graph.items()}
    while leaves := {name for name, names in graph.items() if not names & graph.keys()}:
        graph = {name: names for name, names in graph.items() if name not in leaves}
    assert graph == {}


def test_an_arrow_back_would_be_found(tmp_path):
    for folder, text in {
        "data": "def late():\n    from zoo.cli import main",
        "layers": "import zoo.engine.loop",
        "engine": "from zoo import catalog",
        "core": 'import importlib\nimportlib.import_module("zoo.data.source")',
        "families": "from zoo import load",
        "recipes": "import zoo\nfrom zoo.core import files",
    }.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "module.py").write_text(text)
    assert [line.split(" imports ")[0] for line in _wrong(_arrows(tmp_path))] == [
        f"{folder}/module.py" for folder in ("core", "data", "engine", "families", "layers")
    ]


HEAVY = ("tensorflow_datasets", "PIL", "matplotlib", "sklearn", "tf2onnx", "onnx", "rich", "click")
ABOVE = ("zoo.evaluation", "zoo.transfer", "zoo.exporting", "zoo.catalog", "zoo.recipes", "zoo.cli")


def _loaded(code):
    command = [sys.executable, "-c", f"import sys, {code}; print(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


@pytest.fixture(scope="module")
def by_keras():
    """The modules that Keras itself brings along."""
    return _loaded("keras")


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("zoo", ("numpy", "keras", "tensorflow", *HEAVY)),
        ("zoo.families.feed_forward", (*HEAVY, *ABOVE, "zoo.data.tfds", "zoo.engine.tensorflow")),
        ("zoo.catalog.load", (*HEAVY, "zoo.recipes", "zoo.cli")),
        ("zoo.catalog.save", (*HEAVY, "zoo.recipes", "zoo.cli")),
        ("zoo.catalog.card", ("keras", "tensorflow", *HEAVY)),
        ("zoo.lite", ("keras", "tensorflow", *HEAVY)),
    ],
)
def test_what_an_import_brings_along(module, absent, by_keras):
    loaded = _loaded(module)
    assert module in loaded
    assert sorted((loaded - (by_keras if "keras" in loaded else set())) & set(absent)) == []


def test_the_package_does_not_use_the_scripts():
    scripts = {path.stem for path in (PACKAGE.parent / "scripts").iterdir()} - {"__pycache__"}
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & scripts, file
