"""The operators that the zoo's .tflite files consist of, with what LiteRT takes for granted of each.

LiteRT computes in native code. It divides by strides, allocates what shapes say and reads as many values as they
promise; some of its checks end the process. So the shape of every output is computed here from the inputs, as the
operator defines it, and compared.
"""

import math
from typing import Any

import numpy as np

from zoo.exporting.structure import MEMORY, require
from zoo.exporting.tflite_operator import FLOAT, INT8, LARGEST_STEP, NotCheckedError, Operator

_NUMBERS = ("float32", "float16", "int8", "uint8", "int32", "int64", "bool")
_SAME, _VALID = 0, 1
# Fused activations: none, ReLU, ReLU from -1 to 1, ReLU6. LiteRT's kernels lack the others.
_ACTIVATIONS = range(4)


def _same(context, inputs, outputs):
    (x,), (y,) = inputs, outputs
    context.types([(FLOAT, FLOAT), (INT8, INT8)], x, y)
    _one_scale(context, x, y)
    _rescales(context, [x.scale], y, 2**-8, 2**7)
    context.shape(y, x.shape)


def _of_floats(context, inputs, outputs):
    """An operator that keeps the shape, which LiteRT checks no scales of: in float32 alone."""
    (x,), (y,) = inputs, outputs
    context.types([(FLOAT, FLOAT)], x, y)
    context.shape(y, x.shape)


def _rescales(context, numerators, y, low, high):
    """XNNPACK, inside LiteRT, rescales integers by some factors only; of others it has freed memory twice."""
    if y.dtype == INT8 and context.checked:
        factors = [np.asarray(n, "float64") / float(y.scale[0]) for n in numerators]
        context.expect(all(((f >= low) & (f < high)).all() for f in factors))


def _one_scale(context, *tensors):
    """Only constants have scales for every channel."""
    for tensor in tensors:
        require(len(tensor.scale) <= 1, f"its {context.name} has a scale for every channel")


def _cast(context, inputs, outputs):
    (x,), (y,) = inputs, outputs
    context.expect({x.dtype, y.dtype} <= {"float32", "uint8", "int16", "int32", "int64", "bool"})
    context.shape(y, x.shape)


def _quantize(context, inputs, outputs):
    (x,), (y,) = inputs, outputs
    types = [(FLOAT, INT8), (FLOAT, "uint8"), (INT8, INT8), (INT8, "uint8"), ("uint8", INT8)]
    context.types(types, x, y, rare=[(FLOAT, "int16"), ("int16", "int16"), ("uint8", "uint8")])
    require(len(y.scale) == 1 and (x.dtype == FLOAT or len(x.scale) == 1), f"its {context.name} lacks a scale")
    if x.dtype == INT8:
        _rescales(context, [x.scale], y, 2**-8, 2**7)
    context.shape(y, x.shape)


def _dequantize(context, inputs, outputs):
    (x,), (y,) = inputs, outputs
    context.types([(INT8, FLOAT), ("uint8", FLOAT), ("float16", FLOAT)], x, y, rare=[("int16", FLOAT)])
    require(x.dtype == "float16" or len(x.scale) >= 1, f"its {context.name} lacks a scale")
    context.shape(y, x.shape)


def _arithmetic_shape(context, a, b, y):
    try:
        expected = np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        expected = None
    require(expected is not None, f"its {context.name} takes {a.shape} and {b.shape}, which do not go together")
    context.shape(y, expected)


def _arithmetic(context, inputs, outputs):
    (a, b), (y,) = inputs, outputs
    context.types([(FLOAT,) * 3, (INT8,) * 3], a, b, y)
    context.expect(context.activation in _ACTIVATIONS)
    _one_scale(context, a, b, y)
    _arithmetic_shape(context, a, b, y)
    products = (
        [a.scale * b.scale.astype("float64")] if context.name == "MUL" and y.dtype == INT8 else [a.scale, b.scale]
    )
    _rescales(context, products, y, 2**-10, 2**8)


def _maximum(context, inputs, outputs):
    context.types([(FLOAT,) * 3], *inputs, *outputs)
    _arithmetic_shape(context, *inputs, *outputs)


# Types of inputs, weights, bias and outputs: float32, with weights in int8 ("dynamic"), and int8.
_LAYERS = [
    (FLOAT, FLOAT, FLOAT, FLOAT),
    (FLOAT, FLOAT, None, FLOAT),
    (FLOAT, INT8, FLOAT, FLOAT),
    (FLOAT, INT8, None, FLOAT),
    (INT8, INT8, "int32", INT8),
    (INT8, INT8, None, INT8),
]
# Of files that zoo.export does not write: unsigned, or activations in 16 bits.
_RARE_LAYERS = [
    ("uint8", "uint8", "int32", "uint8"),
    ("uint8", "uint8", None, "uint8"),
    ("int16", INT8, "int32", "int16"),
    ("int16", INT8, "int64", "int16"),
    ("int16", INT8, None, "int16"),
]
_BIAS_TYPES = (0, 2)  # not stated (as float32), or int32


def _layer(context, x, weights, bias, y, axis):
    """Types, bias and scales of a layer whose units are along an axis of its weights."""
    context.types(_LAYERS, x, weights, bias, y, rare=_RARE_LAYERS)
    context.expect(context.activation in _ACTIVATIONS and (weights.dtype != INT8 or weights.data is not None))
    context.expect(context.quantized_bias_type in _BIAS_TYPES)
    _one_scale(context, x, y)
    rank = 2 if context.name == "FULLY_CONNECTED" else 4
    require(len(weights.shape) == rank, f"its {context.name} has weights of shape {weights.shape}")
    require(
        len(weights.scale) <= 1 or weights.channel_axis == axis, f"its {context.name} has scales along another axis"
    )
    require(
        weights.dtype != INT8 or not weights.zero_point.any(), f"its {context.name} has weights that are not centred"
    )
    if y.dtype == INT8 and context.checked:
        _rescales(context, [float(x.scale[0]) * weights.scale.astype("float64")], y, 2**-32, 2**8)
    if bias is None:
        return
    require(bias.shape == (weights.shape[axis],), f"its {context.name} has a bias of shape {bias.shape}")
    if bias.dtype == "int32" and context.checked:
        # LiteRT adds it to the products of inputs and weights as it is.
        products = float(x.scale[0]) * weights.scale.astype("float64")
        require(len(bias.scale) == len(products), f"its {context.name} has a bias with {len(bias.scale)} scales")
        agree = np.abs(bias.scale - products) <= 0.01 * products
        require(agree.all(), f"its {context.name} has a bias of other scales than its products")


def _fully_connected(context, inputs, outputs):
    (x, weights, bias), (y,) = [*inputs, None][:3], outputs
    context.expect(not (context.weights_format or context.quant_spec))
    _layer(context, x, weights, bias, y, 0)
    units, depth = weights.shape
    size = math.prod(x.shape)
    fits = x.shape and x.shape[-1] == depth if context.keep_num_dims else size % depth == 0
    require(fits, f"its {context.name} takes {x.shape}, its weights {weights.shape}")
    context.shape(y, (*x.shape[:-1], units) if context.keep_num_dims else (size // depth, units))
    return size * units


def _convolution(context, inputs, outputs):
    (x, weights, bias), (y,) = [*inputs, None][:3], outputs
    depthwise = context.name == "DEPTHWISE_CONV_2D"
    _layer(context, x, weights, bias, y, 3 if depthwise else 0)
    units, height, width, depth = weights.shape
    if depthwise:
        units, depth = depth, units
        multiplier = context.depth_multiplier
        fits = depth == 1 and len(x.shape) == 4 and x.shape[3] * multiplier == units
    else:
        fits = len(x.shape) == 4 and x.shape[3] == depth
    require(fits, f"its {context.name} takes {x.shape}, its weights {weights.shape}")
    sizes = _windows(context, x.shape, (height, width), (context.dilation_h, context.dilation_w))
    context.shape(y, (x.shape[0], *sizes, units))
    return _multiplications(context, math.prod(y.shape[:3]), height * width * depth, units)


def _transposed_convolution(context, inputs, outputs):
    (shape, weights, x, bias), (y,) = [*inputs, None][:4], outputs
    _layer(context, x, weights, bias, y, 0)
    units, height, width, depth = weights.shape
    expected = context.constant(shape)
    require(len(x.shape) == 4 and x.shape[3] == depth, f"its {context.name} takes {x.shape}, weights {weights.shape}")
    require(len(y.shape) == 4 and y.shape[3] == units, f"its {context.name} gives {y.shape}, weights {weights.shape}")
    context.shape(y, expected if isinstance(expected, list) else (expected,))
    # A convolution of the outputs has the inputs' size.
    context.shape(x, (y.shape[0], *_windows(context, y.shape, (height, width), (1, 1)), depth))
    return _multiplications(context, math.prod(x.shape[:3]), height * width * units, depth)


def _pool(context, inputs, outputs):
    (x,), (y,) = inputs, outputs
    context.types([(FLOAT, FLOAT), (INT8, INT8)], x, y)
    context.expect(context.activation in _ACTIVATIONS)
    _one_scale(context, x, y)
    _rescales(context, [x.scale], y, 2**-8, 2**7)
    require(len(x.shape) == 4, f"its {context.name} takes {x.shape}")
    window = (context.filter_height, context.filter_width)
    context.step(*window)
    context.shape(y, (x.shape[0], *_windows(context, x.shape, window, (1, 1)), x.shape[3]))
    return _multiplications(context, math.prod(y.shape), math.prod(window), 1)


def _windows(context, shape, sizes, dilations):
    """Height and width of what a window gives that is moved over (samples, height, width, channels)."""
    strides = (context.stride_h, context.stride_w)
    context.step(*strides, *dilations)
    require(context.padding in (_SAME, _VALID), f"its {context.name} has an unknown padding")
    found = []
    for size, window, stride, dilation in zip(shape[1:3], sizes, strides, dilations, strict=True):
        extent = (window - 1) * dilation + 1
        require(extent <= LARGEST_STEP, f"its {context.name} has a window of {extent}")
        found.append(math.ceil(size / stride) if context.padding == _SAME else math.ceil((size - extent + 1) / stride))
    return found


def _multiplications(context, places, window, units):
    """Number of them; LiteRT may write out the values of every window first."""
    require(4 * places * window <= MEMORY, f"its {context.name} needs too much memory")
    return places * window * units


def _reshape(context, inputs, outputs):
    (x, shape), (y,) = [*inputs, None][:2], outputs
    _moved(context, x, y)
    if shape is not None:
        given = context.constant(shape)
    elif context.new_shape:
        given = context.new_shape
    else:
        raise NotCheckedError
    require(isinstance(given, list) and len(given) == len(y.shape), f"its {context.name} has a wrong shape")
    require(
        math.prod(x.shape) == math.prod(y.shape)
        and given.count(-1) <= 1
        and all(a in (b, -1) for a, b in zip(given, y.shape, strict=True)),
        f"its {context.name} takes {x.shape} and gives {y.shape}, for the shape {tuple(given)}",
    )


def _moved(context, *tensors):
    """Values that are moved and not computed."""
    context.types([(dtype,) * len(tensors) for dtype in _NUMBERS], *tensors)
    _one_scale(context, *tensors)
    _rescales(context, [x.scale for x in tensors[:-1]], tensors[-1], 2**-8, 2**7)


def _transpose(context, inputs, outputs):
    (x, order), (y,) = inputs, outputs
    _moved(context, x, y)
    axes = context.constant(order)
    require(sorted(_listed(axes)) == list(range(len(x.shape))), f"its {context.name} has the axes {axes}")
    context.shape(y, [x.shape[axis] for axis in axes])


def _tile(context, inputs, outputs):
    (x, multiples), (y,) = inputs, outputs
    _moved(context, x, y)
    times = context.constant(multiples, ("int32", "int64"))
    require(multiples.shape == (len(x.shape),), f"its {context.name} has multiples of shape {multiples.shape}")
    context.shape(y, [size * number for size, number in zip(x.shape, times, strict=True)])


def _listed(value):
    return value if isinstance(value, list) else [value]


def _pad(context, inputs, outputs):
    (x, paddings), (y,) = inputs, outputs
    _moved(context, x, y)
    amounts = context.constant(paddings, ("int32", "int64"))
    require(paddings.shape == (len(x.shape), 2), f"its {context.name} has amounts of shape {paddings.shape}")
    require(all(0 <= n <= LARGEST_STEP for pair in amounts for n in pair), f"its {context.name} has wrong amounts")
    context.shape(y, [size + sum(pair) for size, pair in zip(x.shape, amounts, strict=True)])


def _strided_slice(context, inputs, outputs):
    (x, *arguments), (y,) = inputs, outputs
    _moved(context, x, y)
    if context.ellipsis_mask or context.new_axis_mask or context.shrink_axis_mask or context.offset:
        raise NotCheckedError
    require(all(a.shape == (len(x.shape),) for a in arguments), f"its {context.name} takes {x.shape}")
    starts, ends, steps = (context.constant(argument) for argument in arguments)
    require(all(steps), f"its {context.name} has a step of 0")
    expected = []
    for axis, size in enumerate(x.shape):
        start = None if context.begin_mask >> axis & 1 else starts[axis]
        end = None if context.end_mask >> axis & 1 else ends[axis]
        expected.append(len(range(*slice(start, end, steps[axis]).indices(size))))
    context.shape(y, expected)


def _concatenation(context, inputs, outputs):
    (y,) = outputs
    require(None not in inputs, f"its {context.name} lacks an input")
    _moved(context, *inputs, y)
    context.expect(not context.activation)
    rank = len(y.shape)
    require(-rank <= context.axis < rank, f"its {context.name} has the axis {context.axis}")
    require(all(len(x.shape) == rank for x in inputs), f"its {context.name} takes tensors of several ranks")
    axis = context.axis % rank
    for x in inputs:
        context.shape(y, (*x.shape[:axis], sum(x.shape[axis] for x in inputs), *x.shape[axis + 1 :]))


def _reduction(context, inputs, outputs):
    (x, axes), (y,) = inputs, outputs
    context.types([(FLOAT, FLOAT), (INT8, INT8)], x, y)
    _one_scale(context, x, y)
    _rescales(context, [x.scale], y, 2**-8, 2**7)
    rank, given = len(x.shape), _listed(context.constant(axes))
    require(len(axes.shape) <= 1 and all(-rank <= a < rank for a in given), f"its {context.name} has the axes {given}")
    chosen = {axis % rank for axis in given}
    if not chosen:
        raise NotCheckedError
    kept = [1 if axis in chosen else size for axis, size in enumerate(x.shape)]
    context.shape(y, kept if context.keep_dims else [size for a, size in enumerate(x.shape) if a not in chosen])


def _softmax(context, inputs, outputs):
    require(len(inputs[0].shape) >= 1 and 0 < context.beta < 1e6, f"its {context.name} has a wrong beta")
    _same(context, inputs, outputs)


def _top_k(context, inputs, outputs):
    (x, k), (values, indices) = inputs, outputs
    context.types([(FLOAT, FLOAT)], x, values)
    require(indices.dtype in ("int32", "int16"), f"its {context.name} gives indices of {indices.dtype}")
    require(k.shape in ((), (1,)) and len(x.shape) >= 1, f"its {context.name} takes {x.shape} and {k.shape}")
    (count,) = _listed(context.constant(k))
    require(1 <= count <= x.shape[-1], f"its {context.name} takes the {count} largest of {x.shape[-1]}")
    for y in (values, indices):
        context.shape(y, (*x.shape[:-1], count))


def _one_hot(context, inputs, outputs):
    (x, depth, on, off), (y,) = inputs, outputs
    context.types([(FLOAT,) * 3], on, off, y)
    require(x.dtype in ("int32", "int64", "uint8", "int8"), f"its {context.name} takes indices of {x.dtype}")
    if context.axis != -1:
        raise NotCheckedError
    require(all(len(t.shape) == 0 for t in (depth, on, off)), f"its {context.name} takes several depths or values")
    context.shape(y, (*x.shape, context.constant(depth)))


def _resize(context, inputs, outputs):
    (x, size), (y,) = inputs, outputs
    context.types([(FLOAT, FLOAT), (INT8, INT8)], x, y)
    _one_scale(context, x, y)
    _rescales(context, [x.scale], y, 2**-8, 2**7)
    require(len(x.shape) == 4 and size.shape == (2,), f"its {context.name} takes {x.shape} and {size.shape}")
    context.shape(y, (x.shape[0], *context.constant(size), x.shape[3]))


_ARITHMETIC: dict[str, Any] = {"check": _arithmetic, "inputs": (2, 2), "options": "ArithmeticOptions"}
_REDUCTION: dict[str, Any] = {"check": _reduction, "inputs": (2, 2), "options": "ReducerOptions", "options_type": 27}
_POOL: dict[str, Any] = {"check": _pool, "options": "Pool2DOptions", "options_type": 5}

# Number in the schema: operator.
OPERATORS = {
    0: Operator("ADD", **_ARITHMETIC, options_type=11),
    1: Operator("AVERAGE_POOL_2D", **_POOL),
    2: Operator("CONCATENATION", _concatenation, "ConcatenationOptions", 10, (1, 64)),
    3: Operator("CONV_2D", _convolution, "Conv2DOptions", 1, (2, 3)),
    4: Operator("DEPTHWISE_CONV_2D", _convolution, "DepthwiseConv2DOptions", 2, (2, 3)),
    6: Operator("DEQUANTIZE", _dequantize, options_type=38),
    9: Operator("FULLY_CONNECTED", _fully_connected, "FullyConnectedOptions", 8, (2, 3)),
    14: Operator("LOGISTIC", _same),
    17: Operator("MAX_POOL_2D", **_POOL),
    18: Operator("MUL", **_ARITHMETIC, options_type=21),
    19: Operator("RELU", _same),
    21: Operator("RELU6", _same),
    22: Operator("RESHAPE", _reshape, "ReshapeOptions", 17, (1, 2)),
    23: Operator("RESIZE_BILINEAR", _resize, "OldResizeOptions", 15, (2, 2)),
    25: Operator("SOFTMAX", _softmax, "SoftmaxOptions", 9),
    28: Operator("TANH", _same),
    34: Operator("PAD", _pad, options_type=22, inputs=(2, 2)),
    39: Operator("TRANSPOSE", _transpose, options_type=26, inputs=(2, 2)),
    40: Operator("MEAN", **_REDUCTION),
    41: Operator("SUB", **_ARITHMETIC, options_type=28),
    45: Operator("STRIDED_SLICE", _strided_slice, "StridedSliceOptions", 32, (4, 4)),
    47: Operator("EXP", _same, options_type=33),
    48: Operator("TOPK_V2", _top_k, options_type=34, inputs=(2, 2), outputs=2),
    53: Operator("CAST", _cast, "CastOptions", 37),
    55: Operator("MAXIMUM", _maximum, options_type=39, inputs=(2, 2)),
    67: Operator("TRANSPOSE_CONV", _transposed_convolution, "TransposeConvOptions", 49, (3, 4)),
    69: Operator("TILE", _tile, options_type=51, inputs=(2, 2)),
    74: Operator("SUM", **_REDUCTION),
    73: Operator("LOG", _of_floats),
    75: Operator("SQRT", _of_floats),
    76: Operator("RSQRT", _of_floats),
    85: Operator("ONE_HOT", _one_hot, "OneHotOptions", 61, (4, 4)),
    92: Operator("SQUARE", _of_floats, options_type=66),
    97: Operator("RESIZE_NEAREST_NEIGHBOR", _resize, "ResizeOptions", 74, (2, 2)),
    98: Operator("LEAKY_RELU", _same, "LeakyReluOptions", 75),
    99: Operator("SQUARED_DIFFERENCE", _arithmetic, options_type=76, inputs=(2, 2)),
    111: Operator("ELU", _same),
    114: Operator("QUANTIZE", _quantize, options_type=89),
    150: Operator("GELU", _same, "GeluOptions", 116),
}
