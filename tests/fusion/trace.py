"""A graph that is evaluated in float64 while it is written down.

Numbers above a bound are rounded as the graph's own type rounds them: a mask of -3.4e38 swallows
the scores in float32, and two of them are -inf. Below it, float64 is the oracle.
"""
import ml_dtypes  # noqa: F401: bfloat16 in NumPy
import numpy as np
from attention.formula import attention
from onnx import TensorProto, helper, numpy_helper

# Of each type: from here on neighbours are 2 apart, so that rounding alone changes what a softmax
# weighs. A mask of -65504 that is scaled afterwards does not come apart again.
ROUNDED = {"float16": 2.0 ** 11, "bfloat16": 2.0 ** 8, "float32": 2.0 ** 24}
FLOATS = ("float16", "bfloat16", "float32", "float64")
TYPES = {"float16": TensorProto.FLOAT16, "bfloat16": TensorProto.BFLOAT16,
         "float32": TensorProto.FLOAT,
         "float64": TensorProto.DOUBLE, "int64": TensorProto.INT64, "int32": TensorProto.INT32,
         "bool": TensorProto.BOOL}


class Value:
    def __init__(self, name, array, dtype, constant=False):
        self.name, self.array, self.dtype, self.constant = name, array, dtype, constant

    @property
    def shape(self):
        return self.array.shape


def rounded(array, dtype):
    if dtype not in FLOATS or dtype == "float64":
        return array
    with np.errstate(over="ignore"):
        coarse = array.astype(dtype).astype(np.float64)
    return np.where(np.abs(array) > ROUNDED[dtype], coarse, array)


def softmax(x, axis=-1):
    with np.errstate(invalid="ignore", over="ignore"):
        e = np.exp(x - x.max(axis=axis, keepdims=True))
        return e / e.sum(axis=axis, keepdims=True)


def slice_of(x, starts, ends, axes, steps=None):
    at = [slice(None)] * x.ndim
    for i, (start, end, axis) in enumerate(zip(starts, ends, axes)):
        at[axis] = slice(int(start), int(end), 1 if steps is None else int(steps[i]))
    return x[tuple(at)]


def reshaped(x, shape):
    shape = [x.shape[i] if n == 0 else int(n) for i, n in enumerate(shape)]
    return x.reshape(shape)


def gemm(a, b, c=None, alpha=1.0, beta=1.0, transA=0, transB=0):
    product = alpha * ((a.T if transA else a) @ (b.T if transB else b))
    return product if c is None else product + beta * c


def split(x, sizes, axis=0):
    return np.split(x, np.cumsum(sizes)[:-1], axis)


def unsqueezed(x, axes):
    return np.expand_dims(x, tuple(int(a) for a in axes))


def reduced(function):
    return lambda x, axes, keepdims=1: function(x, axis=tuple(int(a) for a in axes),
                                                keepdims=bool(keepdims))


def log_softmax(x, axis=-1):
    with np.errstate(all="ignore"):
        x = x - x.max(axis=axis, keepdims=True)
        return x - np.log(np.exp(x).sum(axis=axis, keepdims=True))


def written(x, indices, updates):
    out = x.copy()
    out[tuple(np.moveaxis(indices, -1, 0))] = updates
    return out


def padded(x, pads):
    return np.pad(x, tuple(zip(pads[:x.ndim], pads[x.ndim:])))


def apart(x, heads):
    """[B, S, heads * D] as [B, heads, S, D]"""
    return x if x.ndim == 4 else x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2)


def standard_attention(q, k, v, mask=None, past_key=None, past_value=None, lengths=None,
                       q_num_heads=0, kv_num_heads=0, is_causal=0, left_window_size=-1,
                       right_window_size=-1, qk_matmul_output_mode=0, scale=None, softcap=0.0):
    """[Y, present key and value, scores]; the past is concatenated before."""
    flat = q.ndim == 3
    q, k, v = apart(q, q_num_heads), apart(k, kv_num_heads), apart(v, kv_num_heads)
    offsets = None if lengths is None else lengths - q.shape[2]
    y, stages = attention(q, k, v, mask, lengths, offsets, None, scale, softcap, bool(is_causal),
                          left_window_size, right_window_size)
    y = y.swapaxes(1, 2).reshape(y.shape[0], y.shape[2], -1) if flat else y
    return [y, k, v, stages[qk_matmul_output_mode]]


EVALUATE = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Pow": np.power,
    "Max": np.maximum, "Min": np.minimum, "Sqrt": np.sqrt, "Tanh": np.tanh, "Neg": np.negative,
    "Abs": np.abs, "Relu": lambda x: np.maximum(x, 0), "Reciprocal": lambda x: 1 / x,
    "Exp": np.exp, "Log": np.log, "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Identity": lambda x: x,
    "Less": np.less, "LessOrEqual": np.less_equal, "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal, "Equal": np.equal, "And": np.logical_and,
    "Or": np.logical_or, "Not": np.logical_not, "IsNaN": np.isnan, "Where": np.where,
    "MatMul": np.matmul, "Gemm": gemm, "Softmax": softmax,
    "Einsum": lambda *x, equation: np.einsum(equation, *x),
    "Transpose": lambda x, perm: x.transpose(perm), "Reshape": reshaped,
    "Unsqueeze": unsqueezed, "Squeeze": lambda x, axes: np.squeeze(x, tuple(axes)),
    "Expand": lambda x, shape: x * np.ones(shape, x.dtype), "Tile": np.tile,
    "Gather": lambda x, i, axis=0: np.take(x, i, axis), "Split": split, "Slice": slice_of,
    "Concat": lambda *x, axis: np.concatenate(x, axis),
    "Shape": lambda x: np.array(x.shape, np.int64), "Range": np.arange,
    "Trilu": lambda x, k=0, upper=1: np.triu(x, int(k)) if upper else np.tril(x, int(k)),
    "CumSum": lambda x, axis: np.cumsum(x, int(axis)),
    "ConstantOfShape": lambda shape, value: np.full(shape, numpy_helper.to_array(value)[0]),
    "Sum": lambda *x: sum(x),
    "Attention": standard_attention, "LogSoftmax": log_softmax, "Cos": np.cos, "Sin": np.sin,
    "Dropout": lambda x, *rest: x, "ReduceMax": reduced(np.max), "ReduceSum": reduced(np.sum),
    "ScatterND": written, "Pad": padded,
}
BOOLEAN = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal", "And", "Or", "Not",
           "IsNaN")


class Graph:
    def __init__(self, choices, opset):
        self.choices, self.opset = choices, opset
        self.nodes, self.inputs, self.weights, self.outputs = [], [], [], []
        self.given, self.results, self.count = {}, {}, 0

    def name(self, stem):
        self.count += 1
        return f"{stem.lower()}_{self.count}"

    # ---- What goes in and comes out ----

    def input(self, name, array, dims, dtype):
        self.inputs.append(helper.make_tensor_value_info(name, TYPES[dtype], dims))
        self.given[name] = array.astype(dtype)
        wide = self.given[name].astype(np.float64) if dtype in FLOATS else self.given[name]
        return Value(name, wide, dtype)

    def constant(self, array, dtype=None):
        array = np.asarray(array)
        dtype = dtype or str(array.dtype)
        stored = array.astype(dtype)
        name = self.name("c")
        proto = numpy_helper.from_array(stored, name)
        if self.choices.pick("constants", "initializers", "nodes") == "nodes":
            self.nodes.append(helper.make_node("Constant", [], [name], value=proto))
        else:
            self.weights.append(proto)
        wide = stored.astype(np.float64) if dtype in FLOATS else stored
        return Value(name, wide, dtype, constant=True)

    def ints(self, *numbers):
        return self.constant(np.array(numbers, np.int64))

    def output(self, value, name):
        self.op("Identity", value, output=name)
        self.outputs.append(helper.make_tensor_value_info(name, TYPES[value.dtype],
                                                          [None] * value.array.ndim))
        self.results[name] = value.array.astype(value.dtype)

    # ---- Nodes ----

    def op(self, kind, *inputs, output=None, n_out=1, **attrs):
        names = [output or self.name(kind)] + [self.name(kind) for _ in range(n_out - 1)]
        self.nodes.append(helper.make_node(kind, [v.name if v else "" for v in inputs], names,
                                           **attrs))
        with np.errstate(all="ignore"):
            made = EVALUATE[kind](*[v.array if v else None for v in inputs], **attrs)
        dtype = inputs[0].dtype
        if kind in BOOLEAN:
            dtype = "bool"
        elif kind == "Where":
            dtype = inputs[1].dtype
        elif kind == "Shape":
            dtype = "int64"
        elif kind == "ConstantOfShape":
            dtype = str(made.dtype)
            made = made.astype(np.float64) if dtype in FLOATS else made
        made = made if isinstance(made, list) else [made]
        values = [Value(n, rounded(np.asarray(a), dtype), dtype) for n, a in zip(names, made)]
        return values if n_out > 1 else values[0]

    def cast(self, value, dtype):
        name = self.name("cast")
        self.nodes.append(helper.make_node("Cast", [value.name], [name], to=TYPES[dtype]))
        array = value.array.astype(np.float64 if dtype in FLOATS else dtype)
        return Value(name, rounded(array, dtype), dtype)

    def scalar(self, number, like, rank=None):
        """A number as exporters write it: of rank 0, or with axes of extent 1."""
        rank = self.choices.each("scalar", 0, 1, 4, odds=0.3) if rank is None else rank
        return self.constant(np.full((1,) * min(rank, like.array.ndim), number), like.dtype)

    def model(self):
        graph = helper.make_graph(self.nodes, "g", self.inputs, self.outputs, self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)],
                                 ir_version=10)
