"""Causal convolutions that carry a state on."""
import numpy as np

from contrib.table import row

ALL = ("float32", "float32", "float16", "bfloat16")


@row("CausalConvWithState", cases=60)
def causal_conv(d):
    batch, length, k, dilation = d.whole(1, 3), d.whole(1, 8), d.whole(1, 4), d.whole(1, 3)
    inner = tuple(d.whole(1, 4) for _ in range(d.whole(1, 2)))
    last = d.chance()
    inner = inner if last else inner[:1]
    channels, carried = int(np.prod(inner)), (k - 1) * dilation
    x, past = (((batch, n) + inner if last else (batch,) + inner + (n,))
               for n in (length, carried))
    inputs = [d.data(x), d.data((channels, 1, k))]
    inputs.append(d.data((channels,)) if d.chance() else None)
    inputs.append(d.data(past) if d.chance(0.6) else None)
    attrs = d.attrs(activation=d.pick("silu", "swish", "none")) | {"dilation": dilation}
    return d.case(inputs, 2, attrs=attrs | {"channels_last": int(last)})


@row("VarlenCausalConvWithState")
def varlen_causal_conv(d):
    lengths = [d.whole(1, 6) for _ in range(d.whole(1, 3))]
    batch, channels, k, dilation = len(lengths), d.whole(1, 5), d.whole(1, 4), d.whole(1, 2)
    dtype = d.dtype(ALL)
    starts = np.cumsum([0, *lengths]).astype(np.int32)
    attrs = d.attrs(activation=d.pick("silu", "swish", "none")) | {"dilation": dilation}
    bias = d.data((channels,), dtype) if d.chance() else None
    inputs = [d.data((sum(lengths), channels), dtype), d.data((channels, 1, k), dtype), starts,
              bias, d.data((batch, channels, (k - 1) * dilation), dtype)]
    outputs = 2
    if d.chance():
        inputs.append(d.rng.integers(0, 5, batch).astype(np.int32))
        attrs["state_update_capacity"] = d.whole(1, 4)
        outputs = 3
    return d.case(inputs, outputs, attrs=attrs)
