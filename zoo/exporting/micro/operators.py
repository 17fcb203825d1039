"""The operators of TFLite Micro, and what to do about those that it lacks."""

from collections.abc import Iterable

from zoo.core.errors import ExportError

# Those of `MicroMutableOpResolver` that the interpreter on PyPI has as well, so that a file with them can be tried.
_NAMES = """
    ABS ADD ADD_N ARG_MAX ARG_MIN AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_ARGS BROADCAST_TO CAST CEIL
    CONCATENATION CONV_2D COS CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV ELU EMBEDDING_LOOKUP EQUAL EXP
    EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GREATER GREATER_EQUAL HARD_SWISH
    L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX
    MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE REDUCE_MAX RELU RELU6
    RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND
    SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE
    TRANSPOSE_CONV UNPACK ZEROS_LIKE
"""
OPERATORS = frozenset(_NAMES.split())
_METHODS = {"BATCH_MATMUL": "BatchMatMul", "CUMSUM": "CumSum", "PADV2": "PadV2"}
_INSTEAD = {
    "TOPK_V2": "it is of TopK sparsity: use zoo.sparsity.L1 or KL",
    "ONE_HOT": "it is of TopK sparsity: use zoo.sparsity.L1 or KL",
    "GELU": 'use the activation "relu"',
    "SELECT": 'it is of activations such as "selu": use "relu"',
}


def method(operator: str) -> str:
    """Name of the `MicroMutableOpResolver` method that registers an operator.

    Example:
        >>> method("DEPTHWISE_CONV_2D")
        'AddDepthwiseConv2D'
    """
    words = (word if word[0].isdigit() else word.capitalize() for word in operator.split("_"))
    return "Add" + _METHODS.get(operator, "".join(words))


def is_foreign(operator: str) -> bool:
    """Whether TFLite Micro lacks an operator."""
    return operator not in OPERATORS


def check(operators: Iterable[str]) -> None:
    """Raise `ExportError` for operators that TFLite Micro lacks, with what to use instead."""
    missing = [operator for operator in operators if is_foreign(operator)]
    if missing:
        advice = dict.fromkeys(
            _INSTEAD.get(operator, "export the encoder alone, or choose another layer") for operator in missing
        )
        raise ExportError(
            f"TFLite Micro lacks the operator {', '.join(missing)}: {'; '.join(advice)}. Nothing was written."
        )
