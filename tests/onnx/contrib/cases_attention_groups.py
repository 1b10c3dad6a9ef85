"""Attention whose queries share keys and values in groups; rotary embeddings."""
import numpy as np

from contrib import attention_text as text
from contrib.attention_draw import case, ints, numbers, tables, types
from contrib.table import row


def quantised_cache(d, attrs, inputs, shape):
    """Replaces the caches by some of 8 or 4 bits."""
    bits, by = d.pick(8, 4), d.pick("PER_TENSOR", "PER_CHANNEL")
    batch, heads, rows, size = shape
    kind, low, high = ("int8", -100, 100) if bits == 8 else ("uint8", 0, 255)
    for i in (0, 1):
        inputs[3 + i] = d.data((batch, heads, rows, size * bits // 8), kind, low, high)
        scale = (1,) if by == "PER_TENSOR" else (1, heads, 1, size)
        top = 0.02 if bits == 8 else 0.4
        inputs[12 + i] = d.data(scale, "float32", top / 2, top)
        attrs["kv"[i] + "_quant_type"] = by
    attrs["kv_cache_bit_width"] = bits


@row("GroupQueryAttention", cases=300)
def group_query_attention(d):
    types(d)
    kv_heads, size = d.whole(1, 3), d.pick(8, 16, 24)
    heads = kv_heads * d.whole(1, 3)
    rotary = d.chance(0.5)
    size = 16 if rotary else size
    stage = d.pick("prompt", "padded prompt", "decode", "decode", "chunk", "room", "window",
                   "ragged", "shared layer")
    batch = 1 if stage in ("chunk", "window", "shared layer") else d.whole(1, 3)
    rows = 1 if stage in ("decode", "room") else d.whole(1, 6)
    past, lengths = 0, np.full(batch, rows)
    if stage == "padded prompt":
        lengths = d.rng.integers(1, rows + 1, batch)
        lengths[d.whole(0, batch - 1)] = rows
    elif stage == "decode":
        past = d.whole(1, 6)
        lengths = d.rng.integers(2, past + 2, batch)
        lengths[0] = past + 1
    elif stage == "chunk":
        past, lengths = d.whole(1, 6), None
        lengths = np.full(1, past + rows)
    elif stage == "room":  # a cache with more rows than are in use
        past = d.whole(3, 8)
        lengths = d.rng.integers(2, past + 1, batch)
    elif stage == "ragged":
        past = d.whole(rows + 1, 12)
    elif stage == "shared layer":  # another layer has written this step's keys
        past = int(lengths[0]) + d.whole(0, 3)
        lengths = np.full(1, past)
    attrs = dict(num_heads=heads, kv_num_heads=kv_heads)
    attrs.update(d.attrs(scale=d.real(0.1, 1), softcap=d.pick(None, d.real(0.5, 5)),
                         smooth_softmax=d.pick(None, 0, 1)))
    window = d.pick(None, None, d.whole(1, 5))
    if window:
        attrs["local_window_size"] = window
    elif d.chance(0.1):
        attrs["causal"] = 0
    inputs = [None] * 17
    if d.chance(0.4) and stage != "shared layer":
        inputs[0] = numbers(d, batch, rows, (heads + 2 * kv_heads) * size)
    else:
        inputs[:3] = [numbers(d, batch, rows, n * size) for n in (heads, kv_heads, kv_heads)]
    if stage == "shared layer":
        inputs[1:3] = [x[:, :0] for x in inputs[1:3]]
    if stage == "ragged":
        attrs.pop("causal", None)
        fresh = d.rng.integers(1, rows + 1, batch)
        lengths = fresh + d.rng.integers(0, past - rows + 1, batch)
        inputs[16] = fresh.astype(np.int32)
    if stage == "window":
        width = attrs["local_window_size"] = d.whole(1, 5)
        attrs.pop("causal", None)
        attrs["sliding_window_cache"] = 1
        past = d.whole(width, width + 4)
        lengths = d.rng.integers(rows, 20, 1) if rows == 1 or d.chance() else np.full(1, rows)
    total = max(int(lengths.max()), rows if stage == "ragged" else 0)
    if past:
        inputs[3:5] = [numbers(d, batch, kv_heads, past, size) for _ in range(2)]
    inputs[5] = (lengths - 1).astype(np.int32)
    if d.chance(0.2):
        inputs[5] = inputs[5][:, None]
    inputs[6] = np.array(total, np.int32) if d.chance(0.7) else ints(total)
    if rotary:
        attrs["do_rotary"] = 1
        attrs.update(d.attrs(rotary_interleaved=d.whole(0, 1)))
        inputs[7:9] = tables(d, total + rows + 2, 8)
        if d.chance(0.3) and stage != "ragged":
            inputs[9] = np.array(d.rng.integers(0, 3, (batch, rows)))
    keys = total
    if d.chance(0.25):
        inputs[10] = numbers(d, d.pick(1, batch), d.pick(1, heads), rows, keys)
    if d.chance(0.2):
        attrs.pop("smooth_softmax", None)
        inputs[11] = numbers(d, heads)
    if past and stage != "window" and d.chance(0.25) and d.real_type == "float32":
        quantised_cache(d, attrs, inputs, (batch, kv_heads, past, size))
    scores = d.chance(0.2) and stage not in ("window", "ragged", "padded prompt")
    if scores:
        attrs["qk_output"] = d.whole(1, 2)
    own = False
    if d.chance(0.1):
        inputs[14:16] = numbers(d, size), numbers(d, size)
        own = True
    outputs = "ypvs" if scores else "ypv"
    expect = text.grouped(inputs, attrs) if own else None
    if expect:
        expect = expect[:len(outputs)]
    return case(d, inputs, outputs, attrs=attrs, expect=expect,
                mask=group_mask(stage, inputs, attrs, lengths, past, rows))


def group_mask(stage, inputs, attrs, lengths, past, rows):
    """What stands behind the tokens of a sequence means nothing."""
    fresh = np.minimum(lengths, rows) if inputs[16] is None else inputs[16]
    mask = {0: (np.arange(rows) < fresh[:, None])[..., None]}
    kept, most = lengths, max(past, int(lengths.max()))
    if stage == "window":
        kept, most = text.rows_kept(lengths, past, attrs["local_window_size"]), past
    for i in (1, 2):
        mask[i] = (np.arange(most) < kept[:, None])[:, None, :, None]
    return mask


@row("RotaryEmbedding", cases=60)
def rotary_embedding(d):
    types(d)
    batch, rows, heads, half = d.whole(1, 3), d.whole(1, 5), d.whole(1, 3), d.whole(1, 6)
    most, attrs = d.whole(rows + 2, 12), d.attrs(interleaved=d.whole(0, 1))
    size = 2 * half
    if d.chance(0.3):
        size += 2 * d.whole(1, 3)
        attrs.update(rotary_embedding_dim=2 * half, num_heads=heads)
    x = numbers(d, batch, rows, heads * size)
    if d.chance(0.4):
        x = x.reshape(batch, heads, rows, size)
    at = d.rng.integers(0, most, (batch, rows))
    if d.chance(0.3):
        at = np.array([d.whole(0, most - rows)])
    return case(d, [x, at, *tables(d, most, half)], attrs=attrs)


@row("MRotaryEmbedding", cases=30)
def sectioned_rotary_embedding(d):
    types(d)
    batch, rows, heads = d.whole(1, 3), d.whole(1, 4), d.whole(1, 3)
    layout = d.whole(0, 1)
    sections = [d.whole(1, 3) for _ in range(3)]
    if layout:
        sections = [d.whole(2, 4)] * 3
    half = sum(sections)
    attrs = dict(mrope_section=sections, mrope_layout=layout)
    attrs.update(d.attrs(interleaved=d.whole(0, 1)), num_heads=heads)
    x = numbers(d, batch, rows, heads * 2 * half)
    if d.chance(0.4):
        x = x.reshape(batch, heads, rows, 2 * half)
    at = d.rng.integers(0, 9, (3, batch, rows))
    cosines, sines = tables(d, 9, half)
    return d.case([x, at, cosines, sines], attrs=attrs, constant={2, 3},
                  form=d.ranked())


@row("GemmaRotaryEmbedding", cases=10)
def gemma_rotary_embedding(d):
    d.real_type = "float16"
    batch, rows, heads, size = d.whole(1, 2), d.whole(1, 4), d.whole(1, 3), 2 * d.whole(1, 3)
    inputs = [d.data((batch, rows, size))] + [numbers(d, batch, heads, rows, size)
                                              for _ in range(4)]
    return case(d, inputs, 2, expect=text.gemma_rotary(inputs))
