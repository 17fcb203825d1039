"""What an operator of a .tflite file is checked with: its options and its tensors, and the sentences of refusal."""

import dataclasses
from collections.abc import Callable
from typing import Any

from zoo.exporting.structure import require

FLOAT, INT8 = "float32", "int8"
LARGEST_STEP = 1 << 16


class NotCheckedError(Exception):
    """An operator of this kind, used in a way that this package does not check."""


@dataclasses.dataclass(frozen=True)
class Operator:
    """How an operator is checked.

    Attributes:
        name: as TensorFlow Lite's schema has it.
        check: function of (context, inputs, outputs) that raises `ExportError`, or `NotCheckedError`, and returns the
            number of multiplications if there are any. An input is None if it is absent.
        options: table of the schema that holds its options.
        options_type: number of that table in the schema's union.
        inputs: smallest and largest number of inputs.
        outputs: number of outputs.
    """

    name: str
    check: Callable[[Any, list, list], int | None]
    options: str = "EmptyOptions"
    options_type: int = 0
    inputs: tuple[int, int] = (1, 1)
    outputs: int = 1

    def checked(self, options: Any, inputs: list, outputs: list) -> tuple[bool, int]:
        """Whether everything about a use of the operator was checked, and its number of multiplications.

        Raises:
            ExportError: what is wrong with it.
        """
        least, most = self.inputs
        require(least <= len(inputs) <= most and len(outputs) == self.outputs, f"its {self.name} lacks a tensor")
        require(all(tensor is not None for tensor in inputs[:least]), f"its {self.name} lacks an input")
        context = Context(self.name, options)
        try:
            multiplications = self.check(context, inputs, outputs) or 0
        except NotCheckedError:
            return False, 0
        return context.checked, multiplications


class Context:
    """An operator's name and options."""

    def __init__(self, name, options):
        self.name = name
        self.checked = True
        self._options = options

    def __getattr__(self, field):
        """An option; 0 where the operator has none, as LiteRT reads it."""
        return getattr(self._options, field, 0)

    def shape(self, given, expected):
        require(given.shape == tuple(expected), f"its {self.name} gives {given.shape}, which must be {tuple(expected)}")

    def expect(self, condition):
        """What LiteRT may be able to do otherwise too, but not the files of the zoo."""
        self.checked = self.checked and bool(condition)

    def types(self, allowed, *tensors, rare=None):
        """Types that are known to work together; of others, those in `rare` may, or tensors of one type."""
        found = tuple(None if tensor is None else tensor.dtype for tensor in tensors)
        possible = found in rare if rare else len(set(found)) == 1
        require(found in allowed or possible, f"its {self.name} combines the types {', '.join(map(str, found))}")
        self.expect(found in allowed)
        for tensor in tensors:
            if tensor is not None and tensor.dtype == INT8:
                require(len(tensor.scale), f"its {self.name} has integers without a scale")
            elif tensor is not None and tensor.dtype == FLOAT:
                self.expect(not len(tensor.scale))

    def step(self, *numbers):
        require(all(1 <= n <= LARGEST_STEP for n in numbers), f"its {self.name} has a step or size of {numbers}")

    def constant(self, tensor, dtypes=("int32",)):
        """The values of a constant, as a list (of lists)."""
        if tensor.data is None or tensor.dtype not in dtypes:
            raise NotCheckedError
        return tensor.data.tolist()
