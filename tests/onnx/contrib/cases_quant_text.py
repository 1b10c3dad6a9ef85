"""Products with small weights that ONNX Runtime has no kernel for on the CPU: by their text."""
import ml_dtypes
import numpy as np

from contrib.quant import codes, nibbles_of, pieces, real, scales, spread
from contrib.table import row


def as_type(values, dtype):
    return [np.asarray(v).astype(dtype) for v in values]


def nbits(d, n, k, block, bits=4, dtype="float32"):
    """Packed weights, their scales, and what they stand for."""
    packed = codes(d, (n, pieces(k, block), block * bits // 8), "uint8")
    scale = scales(d, (n, pieces(k, block)), dtype) / 2**bits
    parts = [(packed >> shift) & (2**bits - 1) for shift in range(0, 8, bits)]
    numbers = np.stack(parts, -1).reshape(n, pieces(k, block), block).astype(np.float64)
    real_ones = (numbers - 2 ** (bits - 1)) * scale[..., None].astype(np.float64)
    return packed, scale, real_ones.reshape(n, -1)[:, :k]


def normalised(d, x, epsilon):
    """Optional inputs, what the products see, and the sum."""
    skip = d.data(x.shape) if d.chance() else None
    scale = d.data(x.shape[-1:])
    total = x.astype(np.float64) + (0 if skip is None else skip)
    size = np.sqrt((total**2).mean(-1, keepdims=True) + epsilon)
    return skip, scale, total / size * scale, total


@row("MatMulNBitsMlp")
def nbits_mlp(d):
    k, n, block = d.whole(1, 70), d.whole(1, 12), d.pick(16, 32)
    x = d.data((*d.shape(most=2, high=4, zero=False), k))
    epsilon = d.real(1e-6, 1e-3)
    skip, scale, seen, total = normalised(d, x, epsilon)
    if skip is None and d.chance():
        scale, seen = None, x
    (b1, s1, w1), (b2, s2, w2) = nbits(d, n, k, block), nbits(d, n, k, block)
    biases = [d.data((n,)) if d.chance() else None for _ in range(2)]
    gate, up = (seen @ w.T + (0 if b is None else b) for w, b in zip((w1, w2), biases))
    attrs = {"K": k, "N": n, "block_size": block, "activation": "silu", "epsilon": epsilon}
    outputs = "ys" if skip is not None else "y"
    expect = as_type([gate / (1 + np.exp(-gate)) * up, total], "float32")[:len(outputs)]
    return d.case([x, skip, scale, b1, s1, biases[0], b2, s2, biases[1]], outputs, attrs=attrs,
                  expect=expect)


@row("MatMulNBitsQkv")
def nbits_qkv(d):
    k, nq, nkv, block = d.whole(1, 70), d.whole(1, 12), d.whole(1, 12), d.pick(16, 32)
    x = d.data((*d.shape(most=2, high=4, zero=False), k))
    epsilon = d.real(1e-6, 1e-3)
    skip, scale, seen, total = normalised(d, x, epsilon)
    inputs, expect = [x, skip, scale], []
    for n in (nq, nkv, nkv):
        b, s, w = nbits(d, n, k, block)
        bias = d.data((n,)) if d.chance() else None
        inputs += [b, s, bias]
        expect.append(seen @ w.T + (0 if bias is None else bias))
    attrs = {"K": k, "Nq": nq, "Nkv": nkv, "block_size": block, "epsilon": epsilon}
    outputs = "qkvs" if skip is not None else "qkv"
    expect = as_type(expect + [total], "float32")[:len(outputs)]
    return d.case(inputs, outputs, attrs=attrs, expect=expect)


@row("MatMulNBitsQLoRA")
def nbits_lora(d):
    k, n, rank = d.whole(1, 70), d.whole(1, 12), d.whole(1, 40)
    block, bits = d.pick(16, 32), d.pick(4, 8)
    x = d.data((*d.shape(most=2, high=4, zero=False), k))
    base, base_scales, w = nbits(d, n, k, block)
    down, down_scales, a = nbits(d, rank, k, block, bits)
    up, up_scales, b = nbits(d, n, rank, block, bits)
    y = x.astype(np.float64) @ w.T
    if d.chance(0.2):
        up = up[:, :0]
    else:
        y = y + x.astype(np.float64) @ a.T @ b.T
    attrs = {"K": k, "N": n, "block_size": block, "lora_block_size": block, "lora_bits": bits}
    return d.case([x, base, base_scales, down, down_scales, up, up_scales], attrs=attrs,
                  expect=as_type([y], "float32"), form="fixed")


@row("MatMulBlockQuantizedFp8Weight")
def fp8_weight(d):
    k, n, block = d.whole(1, 300), d.whole(1, 12), d.pick(16, 64, 128)
    a = d.data((*d.shape(most=2, high=4, zero=False), k), "float16")
    b = d.data((n, k)).astype(ml_dtypes.float8_e4m3fn)
    scale = scales(d, (n, pieces(k, block)))
    rounding = real(d, 0.01, 0.1) if d.chance(0.4) else None
    bias = d.data((n,), "float16") if d.chance() else None
    seen = a.astype(np.float64)
    if rounding is not None:
        small = np.clip(a.astype(np.float32) / rounding, -448, 448)
        small = small.astype(ml_dtypes.float8_e4m3fn)
        seen = small.astype(np.float64) * rounding
    y = seen @ (b.astype(np.float64) * spread(scale, block, k)).T
    y = y + (0 if bias is None else bias.astype(np.float64))
    return d.case([a, b, scale, rounding, bias], attrs={"block_size": block},
                  expect=as_type([y], "float16"))


@row("MatMulBlockQuantizedFp4Weight")
def fp4_weight(d):
    k, n, block = 2 * d.whole(1, 150), d.whole(1, 12), d.pick(16, 32)
    a = d.data((*d.shape(most=2, high=4, zero=False), k), "float16")
    packed = codes(d, (n, k // 2), "uint8")
    scale = scales(d, (n, pieces(k, block))).astype(ml_dtypes.float8_e4m3fn)
    factor = real(d, 0.1, 1)
    bias = d.data((n,), "float16") if d.chance() else None
    y = a.astype(np.float64) @ (nibbles_of(packed) * spread(scale, block, k)).T * factor
    y = y + (0 if bias is None else bias.astype(np.float64))
    inputs = [a, packed, scale.view(np.uint8), factor, None, bias]
    return d.case(inputs, attrs={"block_size": block}, expect=as_type([y], "float16"))


@row("GemmFloat8")
def gemm_float8(d):
    m, k, n = d.whole(1, 6), d.whole(1, 40), d.whole(1, 8)
    flips = {"transA": d.whole(0, 1), "transB": d.whole(0, 1)}
    kinds = [d.dtype(("float8_e4m3fn", "float8_e5m2", "float16")) for _ in range(2)]
    a, b = d.data((m, k)).astype(kinds[0]), d.data((k, n)).astype(kinds[1])
    factors = [real(d, 0.2, 2) if d.chance(0.7) else None for _ in range(3)]
    scale_a, scale_b, scale_y = (1 if f is None else float(f) for f in factors)
    alpha, beta = d.real(0.2, 2), d.real(0.2, 2)
    c = d.data((m, n)) if d.chance() else None
    y = alpha * scale_a * scale_b * (a.astype(np.float64) @ b.astype(np.float64))
    y = y + (0 if c is None else beta * c)
    activation = d.pick("NONE", "RELU")
    y = (np.maximum(y, 0) if activation == "RELU" else y) * scale_y
    sides = [np.ascontiguousarray(x.T) if flips[f] else x
             for x, f in ((a, "transA"), (b, "transB"))]
    attrs = {"alpha": alpha, "beta": beta, "activation": activation, "dtype": 1, **flips}
    return d.case([*sides, c, *factors], attrs=attrs, expect=as_type([y], "float32"))
