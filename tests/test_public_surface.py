import inspect
import json
import os
import subprocess
import sys

import pytest

import zoo
from zoo.core.errors import ZooError

NAMES = (
    "Autoencoder", "Card", "ExportReport", "ParityError", "Pretraining", "Recommendation", "StreamingThreshold",
    "ZooError", "card", "classifier", "convolutional", "corruption", "denoising", "detector", "evaluate",
    "evaluate_series", "export", "family", "feed_forward", "fine_tune", "freeze", "from_config", "list_families",
    "list_pretrained", "lite", "load", "load_encoder", "load_model", "patch_coder", "patch_detector", "preprocessed",
    "preprocessing", "pretrain", "recommend", "save", "sparse", "sparsity", "threshold", "train", "unfreeze", "wrap",
)  # fmt: skip


def _python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", NAMES)
def test_public_name_has_a_docstring(name):
    value = getattr(zoo, name)
    assert len(value.__doc__) > 40
    assert name in dir(zoo)


def test_importing_and_reading_cards_loads_no_tensorflow():
    code = (
        "import sys, zoo; zoo.card(zoo.list_pretrained()[0]); zoo.list_families(); zoo.lite; print(sorted(sys.modules))"
    )
    modules = _python(code)
    for heavy in ("tensorflow", "keras", "sklearn", "matplotlib", "onnx"):
        assert f"'{heavy}'" not in modules


def test_functions_win_over_modules_of_the_same_name():
    code = "import zoo.exporting.runtime, zoo.families.sparse, zoo; print(callable(zoo.export), callable(zoo.sparse))"
    assert _python(code).split() == ["True", "True"]


def test_unknown_attribute():
    with pytest.raises(AttributeError, match="module 'zoo' has no attribute 'lod'"):
        _ = zoo.lod


def test_the_names_are_those_of_the_stub():
    """Type checkers read zoo/__init__.pyi, which is also what `zoo` imports from."""
    assert sorted(NAMES) == sorted(set(zoo.__all__) - {"data"})


def _functions(value):
    """Public functions: `value` itself, the methods of a class, the functions and classes of a module."""
    if inspect.isfunction(value):
        yield value
    elif inspect.isclass(value):
        yield from (f for name, f in vars(value).items() if inspect.isfunction(f) and name[0] != "_")
    elif inspect.ismodule(value):
        for name in getattr(value, "__all__", ()):
            yield from _functions(getattr(value, name))


@pytest.mark.parametrize("name", zoo.__all__)
def test_public_functions_are_annotated(name):
    for function in _functions(getattr(zoo, name)):
        signature = inspect.signature(function)
        untyped = [p.name for p in signature.parameters.values() if p.annotation is p.empty and p.name != "self"]
        assert not untyped, f"{function.__qualname__}: {untyped}"
        assert signature.return_annotation is not signature.empty, function.__qualname__


@pytest.mark.parametrize("error", ZooError.__subclasses__())
def test_errors_are_builtins_too(error):
    assert issubclass(error, (ValueError, OSError, FloatingPointError))


def test_zoo_list_is_fast():
    """Under 0.3 s of computing, the least of several runs: the time on the clock depends on what else is running."""
    command = [sys.executable, "-m", "zoo.cli", "list", "--json"]
    seconds = []
    for _ in range(7):
        before = os.times()
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        after = os.times()
        seconds.append(sum(after[2:4]) - sum(before[2:4]))  # of the processes that ended
    assert [row["name"] for row in json.loads(output)] == zoo.list_pretrained()
    assert min(seconds) < 0.3
