"""Products and convolutions of numbers on grids, and fused ones of real numbers."""
import numpy as np

from contrib.quant import BYTES, codes, grid, mixed, real
from contrib.table import row


def sides(d, vector=True):
    """Shapes of a product whose batches broadcast."""
    m, k, n = (d.whole(1, 6) for _ in range(3))
    if d.long:
        k, n = d.whole(100, 300), d.whole(20, 300)
    batch = d.shape(most=2, high=3, zero=False) if not d.long else ()
    a, b = (*d.narrowed(batch), m, k), (*d.narrowed(batch), k, n)
    return ((k,) if vector and d.chance(0.1) else a), b


def flat(d):
    """The same without a batch on the right, where scales of columns are vectors."""
    a, b = sides(d, vector=False)
    return a, b[-2:]


@row("MatMulInteger16")
def matmul_integer16(d):
    a, b = sides(d)
    return d.case([codes(d, a, "int16"), codes(d, b, "int16")])


@row("MatMulIntegerToFloat", cases=60)
def to_float(d):
    left, right = mixed(d)
    a, b = flat(d)
    columns = (b[-1],) if d.chance() else ()
    inputs = [codes(d, a, left), codes(d, b, right), real(d, 0.01, 1),
              real(d, 0.01, 1, columns), d.pick(None, codes(d, (), left)),
              d.pick(None, codes(d, columns, right)), d.pick(None, d.data(b[-1:]))]
    return d.case(inputs)


@row("DynamicQuantizeMatMul", cases=60)
def dynamic(d):
    right = d.pick(*BYTES)
    a, b = flat(d)
    columns = (b[-1],) if d.chance() else ()
    inputs = [d.data(a), codes(d, b, right), real(d, 0.01, 1, columns),
              d.pick(None, codes(d, columns, right)), d.pick(None, d.data(b[-1:]))]
    return d.case(inputs)


def flipped(x, flip):
    return np.ascontiguousarray(x.T) if flip else x


@row("QGemm", cases=60)
def qgemm(d):
    left, right = mixed(d)
    m, k, n = d.whole(1, 6), d.whole(1, 40), d.whole(1, 20)
    trans = {"transA": d.whole(0, 1), "transB": d.whole(0, 1)}
    columns = (n,) if d.chance(0.4) else ()
    c = d.data(d.pick((m, n), (n,), (1, n)), "int32", -1000, 1000) if d.chance(0.6) else None
    inputs = [flipped(codes(d, (m, k), left), trans["transA"]), *grid(d, left),
              flipped(codes(d, (k, n), right), trans["transB"]),
              real(d, 0.01, 0.1, columns), codes(d, columns, right), c]
    quantised = d.chance()
    if quantised:
        inputs += [real(d, 0.1, 2), codes(d, (), left)]
    attrs = {**trans, **d.attrs(alpha=d.real(0.1, 2))}
    return d.case(inputs, attrs=attrs, tolerance="step" if quantised else None)


# ---- Convolutions --------------------------------------------------------------------------------

def window(d, rank, least=1):
    attrs = d.attrs(strides=[d.whole(1, 2) for _ in range(rank)])
    padding = d.pick("no", "pads", "auto")
    if padding == "auto":
        attrs["auto_pad"] = d.pick("SAME_UPPER", "SAME_LOWER", "VALID")
    else:
        attrs.update(d.attrs(dilations=[d.whole(1, 2) for _ in range(rank)]))
    if padding == "pads":
        attrs["pads"] = [d.whole(0, 1) for _ in range(2 * rank)]
    return attrs


def image_and_kernel(d):
    """Shapes of the image and the weights, and the group."""
    rank, group = d.whole(1, 2), d.whole(1, 3)
    inner, maps = d.whole(1, 3), group * d.whole(1, 3)
    space = [d.whole(5, 9) for _ in range(rank)]
    kernel = [d.whole(1, 3) for _ in range(rank)]
    return (d.whole(1, 2), group * inner, *space), (maps, inner, *kernel), group


@row("QLinearConv", cases=60)
def qlinear_conv(d):
    left, right = mixed(d)
    x, w, group = image_and_kernel(d)
    last, maps = d.whole(0, 1), w[0]
    by_map = d.chance()
    scale = real(d, 0.01, 0.1, (maps,) if by_map else ())
    zero = np.full((maps,) if by_map else (), codes(d, (), right), right)
    data = codes(d, x, left)
    if last:
        data = np.ascontiguousarray(np.moveaxis(data, 1, -1))
    bias = d.data((maps,), "int32", -1000, 1000) if d.chance() else None
    inputs = [data, *grid(d, left), codes(d, w, right), scale, zero, real(d, 0.1, 2),
              codes(d, (), left), bias]
    attrs = {"group": group, "channels_last": last, **window(d, len(x) - 2)}
    return d.case(inputs, attrs=attrs, constant={3, 4, 5}, tolerance="step")


# ---- Fused, of real numbers ----------------------------------------------------------------------

# Those that ONNX Runtime fuses, with their parameters.
CONV_ACTIVATIONS = {"Relu": 0, "Sigmoid": 0, "Tanh": 0, "LeakyRelu": 1, "Clip": 2, "HardSigmoid": 2}
GEMM_ACTIVATIONS = {"Relu": 0, "Sigmoid": 0, "Tanh": 0, "LeakyRelu": 1, "Elu": 1, "HardSigmoid": 2,
                    "Softplus": 0, "Softsign": 0, "ThresholdedRelu": 1}


def activation(d, names):
    if d.chance(0.2):
        return None, []
    name = d.pick(*names)
    return name, [d.real(0.05, 0.5), d.real(0.6, 1)][:names[name]]


def batch_side(d, batch, low, high, trans, trans_batch):
    shape = (*batch, high, low) if trans else (*batch, low, high)
    x = d.data(shape)
    return np.ascontiguousarray(np.moveaxis(x, -2, 0)) if trans_batch and batch else x


@row("FusedMatMul", cases=80)
def fused_matmul(d):
    m, k, n = (d.whole(1, 6) for _ in range(3))
    batch = d.shape(most=2, high=3, zero=False)
    flags = {name: d.whole(0, 1) for name in ("transA", "transB", "transBatchA", "transBatchB")}
    a = batch_side(d, batch, m, k, flags["transA"], flags["transBatchA"])
    b = batch_side(d, batch, k, n, flags["transB"], flags["transBatchB"])
    return d.case([a, b], attrs={**flags, **d.attrs(alpha=d.real(0.1, 2))})


@row("TransposeMatMul")
def transpose_matmul(d):
    m, k, n = (d.whole(1, 6) for _ in range(3))
    flags = {"transA": d.whole(0, 1), "transB": d.whole(0, 1)}
    batch = d.shape(most=2, high=3, zero=False)
    a = batch_side(d, d.narrowed(batch), m, k, flags["transA"], 0)
    b = batch_side(d, d.narrowed(batch), k, n, flags["transB"], 0)
    return d.case([a, b], attrs={**flags, **d.attrs(alpha=d.real(0.1, 2))})


@row("FusedGemm", cases=60)
def fused_gemm(d):
    m, k, n = (d.whole(1, 6) for _ in range(3))
    attrs = {"transA": d.whole(0, 1), "transB": d.whole(0, 1)}
    name, parameters = activation(d, GEMM_ACTIVATIONS)
    name = name or "Relu"
    attrs.update(zip(("activation_alpha", "activation_beta"), parameters), activation=name)
    attrs.update(d.attrs(alpha=d.real(0.1, 2), beta=d.real(0.1, 2)))
    c = d.data(d.pick((m, n), (n,), (m, 1), (1,))) if d.chance() else None
    a, b = d.data((m, k)), d.data((k, n))
    return d.case([flipped(a, attrs["transA"]), flipped(b, attrs["transB"]), c], attrs=attrs)


@row("FusedConv", cases=60)
def fused_conv(d):
    x, w, group = image_and_kernel(d)
    name, parameters = activation(d, CONV_ACTIVATIONS)
    attrs = {"group": group, "activation": name or "Relu"}
    if parameters:
        attrs["activation_params"] = parameters
    out = (x[0], w[0], *(i - k + 1 for i, k in zip(x[2:], w[2:])))
    bias = d.data(w[:1]) if d.chance() else None
    added = d.data(out) if d.chance() else None
    return d.case([d.data(x), d.data(w), bias, added], attrs=attrs)
