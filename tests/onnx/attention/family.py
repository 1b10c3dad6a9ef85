"""Random cases of what stands around attention, for the standard's evaluator to judge: rotary
embedding, caches, linear attention, convolutions with a state, FlexAttention."""
import numpy as np
from onnx import TensorProto, helper

from attention.cases import attributes


def rotary_case(d):
    heads, size = d.heads, d.pick(4, 8, 20, 64)
    rotated = d.pick(0, 0, size // 2)
    half = (rotated or size) // 2
    attrs = attributes(interleaved=d.pick(None, 0, 1), rotary_embedding_dim=rotated or None)
    x = d.data(d.batch, heads, d.queries, size)
    if d.chance():
        x = np.ascontiguousarray(x.swapaxes(1, 2)).reshape(d.batch, d.queries, heads * size)
        attrs["num_heads"] = heads
    given = {"x": x}
    shape = (d.batch, d.queries, half)
    if d.chance():
        given["ids"] = d.rng.integers(0, 30, (d.batch, d.queries))
        shape = (30, half)
    elif d.chance(0.3):
        shape = (1, d.queries, half)
    angles = d.rng.random(shape) * 6
    given.update(cos=np.cos(angles).astype(d.dtype), sin=np.sin(angles).astype(d.dtype))
    order = ("x", "cos", "sin", "ids")
    node = helper.make_node("RotaryEmbedding", [n if n in given else "" for n in order], ["y"],
                            **attrs)
    return node, {n: given[n] for n in order if n in given}


def scatter_case(d):
    shape = [max(d.batch, 1), *(d.whole(1, 4) for _ in range(d.whole(1, 3))), d.whole(1, 5)]
    axis = d.whole(1, len(shape) - 1)
    circular = d.chance()
    rows = d.whole(0, shape[axis])
    update = list(shape)
    update[axis] = rows
    low, high = (-9, 9) if circular else (0, shape[axis] - rows)
    given = {"past": d.data(*shape), "update": d.data(*update)}
    if d.chance(0.8):
        given["at"] = d.rng.integers(low, high + 1, shape[0])
    node = helper.make_node("TensorScatter", list(given), ["y"],
                            axis=d.pick(axis, axis - len(shape)),
                            mode="circular" if circular else "linear")
    return node, given


def linear_case(d):
    rule = ("linear", "gated", "delta", "gated_delta")[d.index % 4]
    size, value_size, steps = d.whole(1, 9), d.whole(1, 9), d.whole(1, 12)
    rows = (max(d.batch, 1), steps)
    given = {"q": d.data(*rows, d.heads * size), "k": d.data(*rows, d.kv_heads * size),
             "v": d.data(*rows, d.kv_heads * value_size)}
    if d.chance():
        given["past"] = d.data(rows[0], d.kv_heads, size, value_size)
    if "gated" in rule:
        given["decay"] = -np.abs(d.data(*rows, d.kv_heads * d.pick(1, size)))
    if "delta" in rule:
        given["beta"] = np.abs(d.data(*rows, d.pick(1, d.kv_heads)) * d.dtype(0.3))
    order = ("q", "k", "v", "past", "decay", "beta")
    node = helper.make_node("LinearAttention", [n if n in given else "" for n in order],
                            ["y", "state"], q_num_heads=d.heads, kv_num_heads=d.kv_heads,
                            update_rule=rule, **attributes(scale=d.scale))
    return node, {n: given[n] for n in order if n in given}


def conv_case(d):
    channels, size, batch = d.whole(1, 6), d.whole(1, 5), max(d.batch, 1)
    given = {"x": d.data(batch, channels, d.whole(1, 12)), "w": d.data(channels, 1, size)}
    if d.chance():
        given["bias"] = d.data(channels)
    if d.chance():
        given["past"] = d.data(batch, channels, size - 1)
    order = ("x", "w", "bias", "past")
    node = helper.make_node("CausalConvWithState", [n if n in given else "" for n in order],
                            ["y", "state"],
                            **attributes(activation=d.pick(None, "none", "silu", "swish")))
    return node, {n: given[n] for n in order if n in given}


def graph_of(d, kind):
    """x -> x * a + b, or a * tanh(x)."""
    numbers = [helper.make_tensor(n, kind, [], [v]) for n, v in (("a", 0.7), ("b", 0.1))]
    nodes = [helper.make_node("Constant", [], [n.name], value=n) for n in numbers]
    if d.chance():
        nodes += [helper.make_node("Mul", ["x", "a"], ["t"]),
                  helper.make_node("Add", ["t", "b"], ["z"])]
    else:
        nodes += [helper.make_node("Tanh", ["x"], ["t"]),
                  helper.make_node("Mul", ["t", "a"], ["z"])]
    values = [helper.make_tensor_value_info(n, kind, [None] * 4) for n in "xz"]
    return helper.make_graph(nodes, "mod", values[:1], values[1:])


def flex_case(d):
    d.total = max(d.total, 1)
    q, k, v = d.queries_keys_values()
    precision = d.precision()
    attrs = attributes(scale=d.scale, softmax_precision=precision)
    for name in ("score_mod", "prob_mod"):
        if d.chance():
            attrs[name] = graph_of(d, precision or TensorProto.FLOAT)
    node = helper.make_node("FlexAttention", ["q", "k", "v"], ["y"], domain="ai.onnx.preview",
                            **attrs)
    return node, {"q": q, "k": k, "v": v}
