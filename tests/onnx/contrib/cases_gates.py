"""Gates and hyper-connections. Where ONNX Runtime has no kernel on the CPU, NumPy says."""
import numpy as np

from contrib.table import row

ALL = ("float32", "float32", "float16", "bfloat16")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@row("GatedAdd")
def gated_add(d):
    x, dtype = d.shape(least=1), d.dtype(("float32", "float16"))
    return d.case([d.data(x, dtype), d.data(x, dtype), d.data(x[:-1] + (1,), dtype)])


@row("ScaledSiLU")
def scaled_silu(d):
    x, dtype, kind = d.shape(), d.dtype(ALL), d.dtype(ALL)
    scale = np.asarray(d.real(-2, 2)).astype(kind) if d.chance() else None
    return d.case([d.data(x, dtype), scale], attrs=d.attrs(alpha=d.real(-2, 2)))


@row("LinearAttentionGate")
def linear_attention_gate(d):
    x, dtype = d.shape(3), d.dtype(ALL)
    h = x[-1:]
    b = d.data(x, dtype) if d.chance(0.7) else None
    return d.case([d.data(x, dtype), d.data(h), d.data(h), b], 1 if b is None else 2)


@row("SwiGLU")  # CUDA and WebGPU only
def swiglu(d):
    x = d.shape(least=1, zero=False)
    gate, up = d.data(x), d.data(x)
    inputs = [gate, up] if d.chance() else [np.concatenate([gate, up], -1)]
    attrs = d.attrs(activation_alpha=d.real(0.5, 2), activation_beta=d.real(-1, 1),
                    limit=d.real(0.5, 3), round_activation=d.pick(0, 1))
    most = attrs.get("limit", 0)
    if most > 0:
        gate, up = np.minimum(gate, most), np.clip(up, -most, most)
    y = gate * sigmoid(attrs.get("activation_alpha", 1) * gate.astype(np.float64))
    y = y * (up + attrs.get("activation_beta", 0))
    return d.case(inputs, expect=[y.astype(np.float32)], attrs=attrs)


@row("RouterGateUpProj")  # CUDA only, narrow floats only
def router_gate(d):
    k, router, inner = d.whole(1, 8), d.whole(1, 4), d.whole(1, 6)
    x = d.data(d.shape(2, zero=False) + (k,), "float16")
    w = d.data((k, router + 2 * inner), "float16")
    y = (x.astype(np.float64) @ w.astype(np.float64)).astype(np.float16)
    gate, up = np.split(y[..., router:].astype(np.float64), 2, -1)
    activated = (gate * sigmoid(gate) * up).astype(np.float16)
    return d.case([x, w], 2, expect=[y[..., :router], activated], attrs={"router_size": router},
                  tolerance="coarse")


@row("EngramGate")
def engram_gate(d):
    batch, n, c, h = d.whole(1, 2), d.whole(1, 4), d.whole(1, 3), d.whole(1, 16)
    dtype = d.dtype(("float32", "float32", "float16"))
    x = (batch, n, c, h)
    inputs = [d.data(s, dtype) for s in (x, x, (batch, n, h), (c, h), (c, h))]
    outputs = 1
    if d.chance():
        inputs.append(d.data((c, h), dtype))
        outputs = 2
    return d.case(inputs, outputs, attrs=d.attrs(epsilon=d.real(1e-6, 1e-3)))


def streams(d):
    """(shape of the streams, attributes, lead, C, H)"""
    c, h, lead = d.whole(1, 4), d.whole(2, 9), d.shape(most=2, zero=False)
    if d.chance():
        return lead + (c * h,), {"num_branches": c}, lead, c, h
    return lead + (c, h), {}, lead, c, h


@row("HyperConnectionPreMix")
def pre_mix(d):
    x, attrs, lead, c, h = streams(d)
    flat = (lead + (c * h,),) if attrs else ()
    mix = d.pick(lead + (c,), lead + (c, 1), lead + (c, h), *flat)
    return d.case([d.data(x, d.dtype(ALL)), d.data(mix, d.dtype(ALL))],
                  attrs=attrs | d.attrs(reduction_scale=d.real(0.5, 2)), form=d.ranked())


@row("HyperConnectionPostMix")
def post_mix(d):
    x, attrs, lead, c, h = streams(d)
    dtype, kind = d.dtype(ALL), d.dtype(ALL)
    post = d.pick(lead + (c,), lead + (c, 1), lead + (c, h))
    mix = d.data(lead + (c, c), kind) if d.chance() else None
    return d.case([d.data(x, dtype), d.data(lead + (h,), dtype), d.data(post, kind), mix],
                  attrs=attrs, form=d.ranked())


@row("ComplexMul", "ComplexMulConj")  # ROCm only
def complex_mul(d):
    a, b = (s + (2,) for s in d.broadcast(2, most=3))
    dtype = d.dtype(("float32", "float64"))
    x, y = d.data(a, dtype), d.data(b, dtype)
    p, q = x[..., 0] + 1j * x[..., 1], y[..., 0] + 1j * y[..., 1]
    z = np.asarray(p * (q.conj() if d.op == "ComplexMulConj" else q))
    return d.case([x, y], expect=[np.stack([z.real, z.imag], -1).astype(dtype)])
