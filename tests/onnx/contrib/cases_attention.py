"""Attention: projected inside or outside, padded, with caches. Where ONNX Runtime has no kernel on
the CPU the expected outputs come from attention_text.py, which is written from the contracts."""
import numpy as np

from contrib import attention_text as text
from contrib.attention_draw import (case, extents, filter_value, integer_mask, ints, numbers,
                                    padded, types)
from contrib.table import row


@row("Attention", cases=160)
def attention(d):
    types(d)
    (batch, rows), heads, size = extents(d), d.whole(1, 4), d.whole(1, 9)
    width, hidden = d.whole(1, 9), heads * size
    other = heads * d.whole(1, 9) if d.chance(0.3) else None
    past = numbers(d, 2, batch, heads, d.pick(0, 1, 4), size) if d.chance(0.4) else None
    if past is not None:
        other = None
    total = rows + (0 if past is None else past.shape[3])
    sizes = [hidden, hidden, other] if other else None
    full = sum(sizes) if sizes else 3 * hidden
    kinds = ("none", "B", "3B+2", "BT", "BT", "BST", "2B", "M")
    mask = integer_mask(d, batch, rows, total, kinds)
    added = None
    if past is None and d.chance(0.4):
        added = numbers(d, d.pick(1, batch), d.pick(1, heads), rows, total)
    attrs = dict(num_heads=heads)
    attrs.update(d.attrs(unidirectional=d.whole(0, 1), mask_filter_value=filter_value(d),
                         scale=d.real(0.1, 1)))
    if other:
        attrs["qkv_hidden_sizes"] = sizes
    inputs = [numbers(d, batch, rows, width), numbers(d, width, full),
              numbers(d, full) if d.chance(0.8) else None, mask, past, added]
    own = d.chance(0.15) and past is not None and rows > 0
    if own:  # a shared buffer, and turned by position: no kernel on the CPU
        used = d.whole(0, past.shape[3])
        rest = d.whole(rows, rows + 2)
        more = numbers(d, 2, batch, heads, rest, size)
        inputs[4] = np.concatenate([past[..., :used, :], more], 3)
        inputs[3] = mask if mask is None else None
        inputs[5] = None
        inputs += [ints(used)]
        attrs["past_present_share_buffer"] = 1
    if (own or d.chance(0.1)) and size % 2 == 0:
        attrs["do_rotary"] = own = 1
    if mask is not None and mask.ndim == 4:
        own = True
    expect = text.attention(inputs, attrs) if own or d.zero else None
    outputs = "yp" if past is not None or (not other and d.chance(0.3)) else "y"
    if expect:
        expect = expect[:len(outputs)]
    return case(d, inputs, outputs, attrs=attrs, expect=expect)


@row("DecoderMaskedSelfAttention", cases=30)
def decoder_masked_self_attention(d):
    types(d)
    beams = d.pick(1, 1, 2, 3)
    batch, heads, size, width = beams * d.whole(1, 2), d.whole(1, 3), d.whole(1, 8), d.whole(1, 8)
    used, most = d.whole(0, 4), d.whole(5, 7)
    full = 3 * heads * size
    inputs = [numbers(d, batch, 1, width), numbers(d, width, full), numbers(d, full),
              padded(d, batch, used + 1) if d.chance() else None,
              numbers(d, 2, batch, heads, most, size),
              numbers(d, 1, heads, 1, used + 1) if d.chance(0.3) else None, ints(used)]
    if beams > 1:
        inputs += [ints(beams),
                   d.rng.integers(0, beams, (batch // beams, beams, most)).astype(np.int32)]
    attrs = dict(num_heads=heads, past_present_share_buffer=1)
    attrs.update(d.attrs(mask_filter_value=filter_value(d), scale=d.real(0.1, 1)))
    return case(d, inputs, 2, attrs=attrs, expect=text.attention(inputs, attrs))


@row("QAttention", cases=60)
def quantised_attention(d):
    d.real_type = "float32"
    batch, rows, heads, size = d.whole(1, 3), d.whole(1, 5), d.whole(1, 3), d.whole(1, 8)
    width, full = d.whole(1, 9), 3 * heads * size
    kind = d.pick("uint8", "int8")
    weights = d.pick("uint8", "int8")
    past = d.data((2, batch, heads, d.whole(0, 3), size)) if d.chance(0.4) else None
    total = rows + (0 if past is None else past.shape[3])
    scale_shape = d.pick((), (1,), (full,))
    zero_shape = d.pick((), scale_shape)
    low, high = (0, 255) if kind == "uint8" else (-128, 127)
    inputs = [d.data((batch, rows, width), kind, low, high),
              d.data((width, full), weights, 0 if weights == "uint8" else -100, 100),
              d.data((full,)), d.data((), "float32", 0.001, 0.02),
              d.data(scale_shape, "float32", 0.001, 0.02),
              integer_mask(d, batch, rows, total, ("none", "B", "BT", "BST", "2B")),
              d.data((), kind, 0, 9) if d.chance() else None,
              d.data(zero_shape, weights, 0, 9) if d.chance() else None, past]
    attrs = dict(num_heads=heads)
    attrs.update(d.attrs(unidirectional=d.whole(0, 1), mask_filter_value=filter_value(d)))
    outputs = "yp" if past is not None else d.pick("y", "yp")
    expect = None
    if kind == "int8":  # ONNX Runtime takes uint8 only
        expect = text.quantised_attention(inputs, attrs)[:len(outputs)]
    return case(d, inputs, outputs, attrs=attrs, expect=expect)


# ---- Projected inputs ----

@row("MultiHeadAttention", cases=180)
def multi_head_attention(d):
    types(d)
    (batch, rows), heads, size = extents(d), d.whole(1, 4), d.whole(1, 9)
    keys, width = d.whole(1, 7), heads * size
    other = heads * d.whole(1, 9) if d.chance(0.3) else width
    kind = d.pick("plain", "plain", "plain", "cross", "qkv", "kv", "shared")
    inputs, own, past = [numbers(d, batch, rows, width)], kind in ("qkv", "kv"), 0
    attrs = dict(num_heads=heads)
    if kind == "cross":
        inputs += [numbers(d, batch, heads, keys, size), numbers(d, batch, heads, keys, size)]
    elif kind == "qkv":
        inputs, keys, other = [numbers(d, batch, rows, heads, 3, size), None, None], rows, width
    elif kind == "kv":
        inputs += [numbers(d, batch, keys, heads, 2, size), None]
    else:
        causal = kind == "plain" and d.chance(0.3)
        keys = rows if causal or kind == "shared" else keys
        attrs.update(unidirectional=1) if causal else None
        inputs += [numbers(d, batch, keys, width), numbers(d, batch, keys, other)]
    bias = numbers(d, 2 * width + other) if kind in ("plain", "qkv") and d.chance(0.4) else None
    cache = [None, None, None]
    if kind == "plain" and other == width and d.chance(0.5):
        past = d.pick(0, 1, 5)
        cache = [numbers(d, batch, heads, past, size), numbers(d, batch, heads, past, size), None]
    elif kind == "shared":
        past, rest = d.whole(0, 3), d.whole(rows, rows + 3)
        cache = [numbers(d, batch, heads, past + rest, size),
                 numbers(d, batch, heads, past + rest, other // heads), ints(past)]
        own = True
    total = past + keys
    kinds = ("none", "none", "B", "3B+2", "BT", "BST") if not past else ("none", "BT", "BST")
    mask = integer_mask(d, batch, rows, total, kinds)
    added = None
    if d.chance(0.3):
        added = numbers(d, d.pick(1, batch), d.pick(1, heads), rows, total)
    attrs.update(d.attrs(mask_filter_value=filter_value(d), scale=d.real(0.1, 1)))
    inputs += [bias, mask, added] + cache
    outputs = "ypv" if cache[0] is not None else "y"
    expect = text.multi_head(inputs, attrs) if own or d.zero else None
    if kind == "plain" and d.chance(0.2):
        outputs, expect = outputs.ljust(3, "-") + "s", text.multi_head(inputs, attrs)
    if expect:
        expect = [one for one, letter in zip(expect, outputs) if letter != "-"]
    return case(d, inputs, outputs, attrs=attrs, expect=expect)


@row("DecoderMaskedMultiHeadAttention", cases=70)
def decoder_masked_multi_head_attention(d):
    types(d)
    beams = d.pick(1, 1, 2, 3)
    batch, heads, size = beams * d.whole(1, 2), d.whole(1, 3), d.whole(1, 8)
    width, used, most = heads * size, d.whole(0, 4), d.whole(5, 7)
    kind = d.pick("self", "self", "packed", "cross")
    attrs = dict(num_heads=heads)
    attrs.update(d.attrs(mask_filter_value=filter_value(d), scale=d.real(0.1, 1)))
    total = d.whole(1, 6) if kind == "cross" else used + 1
    mask = padded(d, batch, total) if d.chance() else None
    inputs = [numbers(d, batch, 1, width), None, None, mask]
    outputs = "y"
    if kind == "cross":
        inputs[1:3] = [numbers(d, batch, heads, total, size), numbers(d, batch, heads, total, size)]
        inputs += [None] * 7
    else:
        if kind == "packed":
            inputs[0] = numbers(d, batch, 1, 3 * width)
        else:
            inputs[1:3] = [numbers(d, batch, 1, width), numbers(d, batch, 1, width)]
        inputs += [numbers(d, 1, heads, 1, total) if d.chance(0.3) else None,
                   numbers(d, batch, heads, most, size), numbers(d, batch, heads, most, size),
                   ints(used), None, None, numbers(d, 3 * width) if d.chance(0.4) else None]
        attrs["past_present_share_buffer"] = 1
        outputs = "ypv"
        if beams > 1:
            inputs[8] = ints(beams)
            inputs[9] = d.rng.integers(0, beams, (batch // beams, beams, most)).astype(np.int32)
    scores = d.chance(0.3)
    if scores:
        outputs, attrs["output_qk"] = outputs.ljust(3, "-") + "s", 1
    # ONNX Runtime writes its input where it shares the buffers, and reads a packed query beside it.
    expect = text.decoder_multi_head(inputs, attrs)
    expect = [one for one, letter in zip(expect, outputs.ljust(4, "-")) if letter != "-"]
    return case(d, inputs, outputs, attrs=attrs, expect=expect)
