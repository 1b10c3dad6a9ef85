"""Weights of a few bits: products, tables, mixtures of experts; and a layer over time."""
import ml_dtypes
import numpy as np

from contrib.quant import BYTES, codes, nibbles_of, pieces, real, scales, spread
from contrib.table import row


@row("MatMulNBits", cases=150)
def matmul_nbits(d):
    """With g_idx, ONNX Runtime misreads 2 bits and takes no notice of packed zero points. It
    refuses zero points that are floats with 8 bits."""
    bits, block = d.pick(2, 4, 8), d.pick(16, 32, 64, 128)
    k, n = d.whole(1, 300), d.whole(1, 40)
    blocks = pieces(k, block)
    dtype = d.pick("float32", "float32", "float16")
    zeros = d.pick("none", "packed", "none" if bits == 8 else "float")
    zero = {"none": None, "packed": codes(d, (n, pieces(blocks * bits, 8)), "uint8"),
            "float": scales(d, (n, blocks), dtype, 0, 2**bits)}[zeros]
    grouped = bits == 4 and zeros != "packed" and d.chance(0.3)
    groups = d.rng.integers(0, blocks, k).astype(np.int32) if grouped else None
    bias = d.data((n,), dtype) if d.chance(0.3) else None
    a = d.data((*d.shape(most=2, high=4, zero=False), k), dtype)
    inputs = [a, codes(d, (n, blocks, block * bits // 8), "uint8"),
              scales(d, (n, blocks), dtype) / 2**bits, zero, groups, bias]
    attrs = {"K": k, "N": n, "bits": bits, "block_size": block}
    return d.case(inputs, attrs={**attrs, **d.attrs(accuracy_level=d.whole(0, 2))})


@row("MatMulBnb4", cases=60)
def matmul_bnb4(d):
    block, k, n = d.pick(16, 32, 64, 128), d.whole(1, 200), d.whole(1, 40)
    a = d.data((*d.shape(least=1, most=2, high=4, zero=False), k))
    inputs = [a, codes(d, (pieces(n * k, 2),), "uint8"), scales(d, (pieces(n * k, block),))]
    attrs = {"K": k, "N": n, "block_size": block, "quant_type": d.whole(0, 1)}
    return d.case(inputs, attrs=attrs, constant={1, 2})


@row("MatMulFpQ4")
def matmul_fp_q4(d):
    """ONNX Runtime takes type 2 for type 1."""
    kind, k, n = d.whole(0, 1), d.whole(1, 200), d.whole(1, 12)
    blocks = n * pieces(k, 32)
    parts = [scales(d, (blocks, 1)).view(np.uint8)]
    if kind == 1:
        parts.append(d.data((blocks, 1), "uint8", 0, 15))
    parts.append(codes(d, (blocks, 16), "uint8"))
    blob = np.concatenate(parts, axis=1).reshape(-1)
    a = d.data((*d.shape(least=1, most=2, high=4, zero=False), k))
    return d.case([a, blob, np.array([k, n])], attrs={"blk_quant_type": kind}, constant={1, 2})


# ---- Tables --------------------------------------------------------------------------------------

def wild_indices(d, size):
    """Some of them out of range: they pick zeros."""
    shape = d.shape(most=2, high=4, zero=False)
    values = d.rng.integers(-size, size, shape)
    if d.chance(0.3):
        values = np.where(d.rng.random(shape) < 0.3, size + 3, values)
    return np.asarray(values).astype(d.pick("int32", "int64"))


def bytes_table(d):
    bits, rank = d.pick(2, 4, 8), d.whole(2, 3)
    per_byte, block = 8 // bits, d.pick(16, 32)
    shape = [d.whole(1, 5) for _ in range(rank - 1)] + [d.whole(1, 60)]
    blocks = pieces(shape[-1] * per_byte, block)
    zero = codes(d, (*shape[:-1], pieces(blocks, per_byte)), "uint8") if d.chance() else None
    dtype = d.pick("float32", "float16")
    inputs = [codes(d, shape, "uint8"), wild_indices(d, shape[0]),
              scales(d, (*shape[:-1], blocks), dtype), zero]
    axis = d.pick(-1, rank - 1)
    return d.case(inputs, attrs={"bits": bits, "block_size": block, "quantize_axis": axis})


def nibbles_table(d):
    rank = d.whole(2, 3)
    shape = [d.whole(1, 5) for _ in range(rank)]
    gather, axis, block = d.whole(0, rank - 1), d.whole(0, rank - 1), d.pick(16, 32)
    shape[axis] = d.whole(1, 60)
    few = list(shape)
    few[axis] = pieces(shape[axis], block)
    kind = d.pick(ml_dtypes.int4, ml_dtypes.uint4)
    info = ml_dtypes.iinfo(kind)

    def nibbles(of):
        return d.rng.integers(int(info.min), int(info.max) + 1, of).astype(kind)

    inputs = [nibbles(shape), wild_indices(d, shape[gather]),
              scales(d, few, d.pick("float32", "float16")), nibbles(few) if d.chance() else None]
    attrs = {"block_size": block, "gather_axis": gather - rank * d.whole(0, 1),
             "quantize_axis": axis - rank * d.whole(0, 1)}
    return d.case(inputs, attrs=attrs)


@row("GatherBlockQuantized", cases=120)
def gather_blocks(d):
    return bytes_table(d) if d.chance() else nibbles_table(d)


# ---- Mixtures of experts -------------------------------------------------------------------------

def routing(d, activations):
    experts = d.whole(1, 6)
    attrs = {"k": d.whole(1, experts), "activation_type": d.pick(*activations)}
    if attrs["activation_type"] == "swiglu":
        attrs.update(swiglu_fusion=1, activation_alpha=d.real(0.5, 1.7),
                     activation_beta=d.real(0, 1), **d.attrs(swiglu_limit=d.real(0.5, 3)))
    lead = d.shape(least=1, most=2, zero=False)
    return experts, lead, attrs


ACTIVATIONS = ("relu", "gelu", "silu", "identity", "swiglu")


@row("MoE", cases=80)
def moe(d):
    experts, lead, attrs = routing(d, ACTIVATIONS)
    hidden, inner = d.whole(1, 20), d.whole(1, 20)
    first = inner * (2 if attrs["activation_type"] == "swiglu" else 1)
    tokens = int(np.prod(lead))
    inputs = [d.data((*lead, hidden)), d.data((tokens, experts)),
              d.data((experts, first, hidden), low=-0.5, high=0.5),
              d.pick(None, d.data((experts, first))),
              d.data((experts, hidden, inner), low=-0.5, high=0.5),
              d.pick(None, d.data((experts, hidden)))]
    attrs["normalize_routing_weights"] = d.whole(0, 1)
    return d.case(inputs, attrs=attrs)


@row("QMoE", cases=100)
def qmoe(d):
    return float_experts(d) if d.chance(0.2) else small_experts(d)


def small_experts(d):
    """On the CPU, ONNX Runtime always normalises, and rounds activations for blocks of 2 and of 8
    bits."""
    experts, lead, attrs = routing(d, ACTIVATIONS)
    bits, block = d.pick((4, 16), (4, 32), (4, 64), (2, 0), (4, 0), (8, 0))
    unit = block or 8
    hidden, inner = unit * d.whole(1, 3), unit * d.whole(1, 3)
    first = inner * (2 if attrs["activation_type"] == "swiglu" else 1)
    tokens, zeros = int(np.prod(lead)), d.chance()
    dtype = d.pick("float32", "float32", "float16")

    def place(n, k):
        few = (experts, n, k // block) if block else (experts, n)
        return [codes(d, (experts, n, k * bits // 8), "uint8"), scales(d, few, dtype) / 2**bits,
                d.data((experts, n), dtype) if d.chance() else None]

    def zero_points(n, k):
        shape = (n, pieces(k // block * bits, 8)) if block else (pieces(n * bits, 8),)
        return codes(d, (experts, *shape), "uint8") if zeros else None

    mixing = np.abs(d.data((tokens, experts), dtype)) if d.chance(0.3) else None
    inputs = [d.data((*lead, hidden), dtype), d.data((tokens, experts), dtype),
              *place(first, hidden), *place(hidden, inner), None, None, None,
              zero_points(first, hidden), zero_points(hidden, inner), None, mixing]
    attrs.update(normalize_routing_weights=1, expert_weight_bits=bits, accuracy_level=1)
    if block:
        attrs["block_size"] = block
    return d.case(inputs, attrs=attrs, constant=set(range(2, 14)) & present(inputs))


def expert_weights(d, kind, experts, n, k):
    """Weights, scales, a factor for each expert, and what they stand for."""
    factor = scales(d, (experts,), low=0.5, high=2)
    wide = factor[:, None, None].astype(np.float64)
    if kind == "fp4":
        packed = codes(d, (experts, n, k // 2), "uint8")
        scale = (2.0 ** d.rng.integers(-4, 0, (experts, n, pieces(k, 32))))
        numbers = spread(scale, 32, k) * nibbles_of(packed)
        return packed, scale.astype(ml_dtypes.float8_e8m0fnu), factor, numbers * wide
    weights = d.data((experts, n, k)).astype(ml_dtypes.float8_e4m3fn)
    if kind == "fp8":
        return weights, None, factor, weights.astype(np.float64) * wide
    scale = scales(d, (experts, pieces(n, 16), pieces(k, 16)))
    squares = np.repeat(spread(scale, 16, k), 16, -2)[:, :n]
    return weights, scale, None, weights.astype(np.float64) * squares


def float_experts(d):
    """One expert for each token, whose weight is then 1. ONNX Runtime's CPU has no kernel."""
    kind, experts = d.pick("fp4", "fp8", "fp8 squares"), d.whole(1, 4)
    hidden, inner = 32 * d.whole(1, 2), 32 * d.whole(1, 2)
    if kind != "fp4":
        hidden, inner = d.whole(1, 40), d.whole(1, 40)
    tokens = d.whole(1, 6)
    x, router = d.data((tokens, hidden)), d.distinct((tokens, experts))
    w1, s1, g1, fc1 = expert_weights(d, kind, experts, inner, hidden)
    w2, s2, g2, fc2 = expert_weights(d, kind, experts, hidden, inner)
    chosen = router.argmax(-1)
    middle = np.maximum(np.einsum("ti,toi->to", x.astype(np.float64), fc1[chosen]), 0)
    y = np.einsum("ti,toi->to", middle, fc2[chosen])
    attrs = {"k": 1, "activation_type": "relu", "normalize_routing_weights": 1,
             "quant_type": kind.split()[0], **({"block_size": 16} if "sq" in kind else {})}
    inputs = [x, router, w1, s1, None, w2, s2, None] + [None] * 7 + [g1, g2]
    return d.case(inputs, attrs=attrs, expect=[y.astype(np.float32)])


def present(inputs):
    return {i for i, value in enumerate(inputs) if value is not None}


# ---- Over time -----------------------------------------------------------------------------------

@row("DynamicQuantizeLSTM")
def dynamic_lstm(d):
    """ONNX Runtime rounds inputs and states to 8 bits on the way."""
    times, batch, size, hidden = d.whole(1, 5), d.whole(1, 3), d.whole(1, 8), d.whole(1, 8)
    directions, dtype = d.whole(1, 2), d.pick(*BYTES)
    by_column = (directions, 4 * hidden) if d.chance() else (directions,)
    zero = np.full(by_column, 128 if dtype == "uint8" else 0, dtype)

    def maybe(*shape):
        return d.data(shape) * np.float32(0.3) if d.chance() else None

    lengths = d.data((batch,), "int32", 1, times) if d.chance() else None
    inputs = [d.data((times, batch, size)), codes(d, (directions, size, 4 * hidden), dtype),
              codes(d, (directions, hidden, 4 * hidden), dtype), maybe(directions, 8 * hidden),
              lengths, maybe(directions, batch, hidden), maybe(directions, batch, hidden),
              maybe(directions, 3 * hidden), real(d, 0.001, 0.005, by_column), zero,
              real(d, 0.001, 0.005, by_column), zero]
    attrs = {"hidden_size": hidden,
             "direction": "bidirectional" if directions == 2 else d.pick("forward", "reverse")}
    return d.case(inputs, outputs=3, attrs=attrs, constant={1, 2, 8, 9, 10, 11},
                  tolerance="coarse")
