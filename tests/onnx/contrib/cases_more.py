"""Words from characters, checks, products with an activation, streams with a gating network."""
import numpy as np

from contrib.table import row


@row("WordConvEmbedding")
def word_conv(d):
    filters, window, size, chars = d.whole(1, 5), d.whole(1, 3), d.whole(1, 4), d.whole(3, 9)
    length = window + d.whole(0, 5)
    words = d.rng.integers(0, chars, (d.whole(1, 6), length)).astype(np.int32)
    words[:, 0] = 1  # ONNX Runtime leaves the vector of an empty word as the memory was
    inputs = [words, d.data((filters, 1, window, size)), d.data((filters,)), d.data((chars, size))]
    return d.case(inputs, attrs={"embedding_size": filters, "conv_window_size": window,
                                 "char_embedding_size": size})


@row("IsAllFinite")  # CUDA only
def is_all_finite(d):
    arrays = [d.data(d.shape(), "float32") for _ in range(d.whole(1, 3))]
    odd = d.pick(None, np.inf, -np.inf, np.nan)
    if odd is not None and arrays[-1].size:
        arrays[-1].flat[d.whole(0, arrays[-1].size - 1)] = odd
    attrs = d.pick({}, {"isinf_only": 1}, {"isnan_only": 1})
    inf = any(np.isinf(a).any() for a in arrays) and "isnan_only" not in attrs
    nan = any(np.isnan(a).any() for a in arrays) and "isinf_only" not in attrs
    return d.case(arrays, expect=[np.bool_(not (inf or nan))], attrs=attrs)


def fast_gelu(x):
    return x * 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)))


@row("GemmFastGelu")  # ROCm only
def gemm_fast_gelu(d):
    k, n = d.whole(1, 9), d.whole(1, 9)
    x, w = d.data(d.shape(least=1, most=2, zero=False) + (k,)), d.data((k, n))
    bias = d.data((n,)) if d.chance() else None
    y = x.astype(np.float64) @ w + (0 if bias is None else bias)
    return d.case([x, w, bias], expect=[fast_gelu(y).astype(np.float32)])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@row("HyperConnectionLowRankMix")  # CUDA only
def low_rank_mix(d):
    c, h, r, lead = d.whole(1, 3), d.whole(2, 8), d.whole(1, 4), d.shape(2, zero=False)
    x, scale = d.data(lead + (c * h,)), d.data((c * h,))
    down, up, inject = (d.data(s, "float32", -0.7, 0.7)
                        for s in ((c * h, r), (r, c * h), (c * h, c)))
    attrs = {"num_branches": c} | d.attrs(gate_div=d.real(1, 3), gate_mul=d.real(1, 3),
                                          reduction_scale=d.real(0.5, 2), silu_alpha=d.real(0.5, 2))
    inputs, s = [x, scale, down, up, inject], x.astype(np.float64).reshape(lead + (c, h))
    if d.chance():
        inputs += [d.data(lead + (h,)), d.data(lead + (c,))]
        s = s + inputs[6][..., None] * inputs[5][..., None, :].astype(np.float64)
    norm = s / np.sqrt((s ** 2).mean(-1, keepdims=True) + 1e-5) * scale.reshape(c, h)
    flat = norm.reshape(lead + (c * h,))
    z = attrs.get("silu_alpha", 1) * (flat @ down)
    gates = sigmoid((z * sigmoid(z)) @ up).reshape(norm.shape)
    pre = attrs.get("reduction_scale", 1) * (norm * gates).sum(-2)
    post = sigmoid(flat @ inject / attrs.get("gate_div", 1)) * attrs.get("gate_mul", 1)
    expect = [pre, post, s.reshape(x.shape)]
    return d.case(inputs, 3, expect=[e.astype(np.float32) for e in expect], attrs=attrs,
                  form=d.ranked())


@row("FusedMatMulActivation")  # DirectML only
def fused_matmul_activation(d):
    m, k, n, batch = d.whole(1, 6), d.whole(1, 6), d.whole(1, 6), d.shape(most=2, zero=False)
    left, right = d.pick(0, 1), d.pick(0, 1)
    a, b = d.data(batch + (m, k)), d.data(batch + (k, n))
    attrs = {"transA": left, "transB": right} | d.attrs(alpha=d.real(0.5, 2))
    y = attrs.get("alpha", 1) * (a.astype(np.float64) @ b)
    name = d.pick("Relu", "Tanh", "Sigmoid", "LeakyRelu")
    slope = d.real(0.1, 0.5)
    curves = {"Relu": np.maximum(y, 0), "Tanh": np.tanh(y), "Sigmoid": sigmoid(y),
              "LeakyRelu": np.where(y < 0, slope * y, y)}
    attrs |= {"activation": name} | ({"activation_alpha": slope} if name == "LeakyRelu" else {})
    inputs = [np.swapaxes(a, -1, -2) if left else a, np.swapaxes(b, -1, -2) if right else b]
    return d.case([np.ascontiguousarray(x) for x in inputs], form=d.ranked(),
                  expect=[curves[name].astype(np.float32)], attrs=attrs)
