"""Gated delta networks: rules, gates, sequences of one and of different lengths."""
import numpy as np

from contrib.table import row


def lengths_of(d):
    """(lengths of the sequences, "rank 4", "uniform" or "ragged")"""
    kind = d.pick("rank 4", "uniform", "ragged")
    if kind == "ragged":
        return [d.whole(1, 5) for _ in range(d.whole(1, 3))], kind
    return [d.whole(1, 5)] * d.whole(1, 3), kind


def captured(counts, room, lengths, *widths):
    """Which elements of state_update mean something: of the first tokens of each sequence."""
    there = [np.arange(room) < min(count, length) for count, length in zip(counts, lengths)]
    return np.stack([np.concatenate([np.repeat(t, w) for w in widths]) for t in there])


@row("GatedDeltaNet", cases=120)
def gated_delta_net(d):
    lengths, kind = lengths_of(d)
    batch, total = len(lengths), sum(lengths)
    keys, size, dv = d.whole(1, 3), d.pick(2, 4, 8), d.whole(1, 6)
    heads = keys * d.pick(1, 1, 2)
    dtype = d.dtype(("float32", "float32", "float16"))
    gates = d.pick(dtype, np.dtype("float32"))
    lead = (batch, lengths[0]) if kind == "rank 4" else (total,)
    rule = d.pick("linear", "gated", "delta", "gated_delta", "gated_delta")
    norm = int("delta" in rule or d.chance())
    attrs = {"update_rule": rule, "qk_l2_norm": norm} | d.attrs(scale=d.real(0.3, 1.5))
    q, k, v = (d.data(lead + (h, n), dtype, -1, 1)
               for h, n in ((keys, size), (keys, size), (heads, dv)))
    inputs = [q, k, v, None, None, None, None, None, None]
    if kind == "ragged":
        inputs[3] = np.cumsum([0, *lengths]).astype(np.int32)
    each = "gated" in rule and d.chance(0.4)
    if "gated" in rule:
        shape = lead + ((heads, size) if each else (heads,))
        gate = d.pick("none", "softplus", "sigmoid")
        attrs["gate_activation"] = gate
        low, high = (-1, 0) if gate == "none" else (-1, 1)
        inputs[4] = d.data(shape, gates, low, high)
        if gate != "none":
            inputs[7] = d.data((heads,), "float32", -1, 1)
            inputs[8] = d.data((heads, size) if each else (heads,), "float32", -1, 1)
    if "delta" in rule:
        attrs |= d.attrs(beta_activation="sigmoid")
        inputs[5] = d.data(lead + (heads,), gates, 0, 1)
    packed = d.chance(0.2) and kind != "rank 4"
    if kind != "ragged" or packed or d.chance():
        inputs[6] = d.data((batch, heads, dv, size), "float32", -1, 1)
    if packed:
        flat = [x.reshape(total, -1) for x in (q, k, v)]
        inputs[:3] = [np.concatenate(flat, -1), None, None]
    more, outputs = {}, 2
    if d.chance(0.3):
        room, counts = d.whole(1, 4), d.rng.integers(0, 6, batch)
        attrs["state_update_capacity"] = room
        inputs.append(counts.astype(np.int32))
        width = heads * size if each else heads
        more, outputs = {"mask": {2: captured(counts, room, lengths, width, keys * size,
                                              heads * dv)}}, 3
    return d.case(inputs, outputs, attrs=attrs, **more,
                  tolerance="half" if dtype == "float16" else "recurrent")
