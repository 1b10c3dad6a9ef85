"""Attention over tokens without padding, over pages, over blocks, and over a state."""
import numpy as np

from contrib import attention_text as text
from contrib.attention_draw import case, ints, numbers, packing, tables, types
from contrib.table import row


@row("PackedMultiHeadAttention", cases=40)
def packed_multi_head_attention(d):
    types(d)
    batch, rows, counts, offsets, sums = packing(d)
    heads, size = d.whole(1, 3), d.whole(1, 8)
    tokens, width = int(counts.sum()), heads * size
    other = heads * d.whole(1, 8) if d.chance(0.3) else width
    if d.chance(0.4):
        inputs, other = [numbers(d, tokens, heads, 3, size), None, None], width
    else:
        inputs = [numbers(d, tokens, width), numbers(d, tokens, width), numbers(d, tokens, other)]
    inputs += [numbers(d, 2 * width + other) if d.chance() else None, offsets, sums]
    if d.chance(0.4):
        inputs += [numbers(d, d.pick(1, batch), d.pick(1, heads), rows, rows)]
    attrs = dict(num_heads=heads, **d.attrs(scale=d.real(0.1, 1)))
    return case(d, inputs, attrs=attrs, expect=text.packed_multi_head(inputs, attrs))


@row("PackedAttention", cases=40)
def packed_attention(d):
    types(d)
    batch, rows, counts, offsets, sums = packing(d)
    heads, size, width = d.whole(1, 3), d.whole(1, 8), d.whole(1, 8)
    other = heads * d.whole(1, 8) if d.chance(0.3) else heads * size
    full, attrs = 2 * heads * size + other, dict(num_heads=heads, **d.attrs(scale=d.real(0.1, 1)))
    if other != heads * size:
        attrs["qkv_hidden_sizes"] = [heads * size, heads * size, other]
    inputs = [numbers(d, int(counts.sum()), width), numbers(d, width, full), numbers(d, full),
              offsets, sums]
    if d.chance(0.4):
        inputs += [numbers(d, d.pick(1, batch), d.pick(1, heads), rows, rows)]
    return case(d, inputs, attrs=attrs, expect=text.packed_attention(inputs, attrs))


@row("RemovePadding", cases=20)
def remove_padding(d):
    types(d)
    batch, rows, counts, offsets, sums = packing(d)
    x = numbers(d, batch, rows, d.whole(1, 5))
    kept = x.reshape(batch * rows, -1)[offsets.ravel()[:sums[-1]]]
    return case(d, [x, counts.astype(np.int32)], 4,
                expect=[kept, offsets, sums, ints(counts.max())])


@row("RestorePadding", cases=20)
def restore_padding(d):
    types(d)
    batch, rows, counts, offsets, sums = packing(d)
    x = numbers(d, int(sums[-1]), d.whole(1, 5))
    out = np.zeros((batch * rows, x.shape[1]), x.dtype)
    out[offsets.ravel()[:sums[-1]]] = x
    return case(d, [x, offsets], expect=[out.reshape(batch, rows, -1)])


# ---- Pages ----

@row("PagedAttention", cases=60)
def paged_attention(d):
    d.real_type = "float16"
    batch, kv_heads, size, block = d.whole(1, 3), d.whole(1, 2), d.pick(8, 16), d.pick(2, 4, 16)
    heads, most = kv_heads * d.whole(1, 3), d.whole(1, 4)
    past = d.rng.integers(0, most * block, batch)
    fresh = np.minimum(d.rng.integers(0, 5, batch), most * block - past)
    fresh[0] = max(fresh[0], 1)
    past[0] = min(past[0], most * block - fresh[0])
    tokens, blocks = int(fresh.sum()), batch * most + 2
    table = d.rng.permutation(blocks)[:batch * most].reshape(batch, most).astype(np.int32)
    attrs = dict(num_heads=heads, kv_num_heads=kv_heads)
    attrs.update(d.attrs(scale=d.real(0.1, 1), softcap=d.pick(None, d.real(0.5, 5)),
                         local_window_size=d.pick(None, d.whole(1, 6)), is_causal=d.pick(0, 1, 1)))
    latent = d.chance(0.2)
    inputs = [None] * 14
    if latent:
        kv_heads = attrs["kv_num_heads"] = 1
        attrs.update(kv_cache_layout="LATENT", v_head_size=size // 2, scale=0.3)
        inputs[:2] = [numbers(d, tokens, heads * size), numbers(d, tokens, size)]
    elif d.chance(0.4):
        inputs[0] = numbers(d, tokens, (heads + 2 * kv_heads) * size)
    else:
        inputs[:3] = [numbers(d, tokens, n * size) for n in (heads, kv_heads, kv_heads)]
    inputs[3] = numbers(d, blocks, block, kv_heads, size)
    inputs[4] = None if latent else numbers(d, blocks, block, kv_heads, size)
    inputs[5:8] = [np.cumsum([0, *fresh]).astype(np.int32), past.astype(np.int32), table]
    if d.chance(0.4):
        attrs["do_rotary"] = 1
        attrs.update(d.attrs(rotary_interleaved=d.whole(0, 1)))
        if size == 16 and d.chance(0.4):
            attrs["rotary_offset"] = 8
        inputs[8:10] = tables(d, most * block, (size - attrs.get("rotary_offset", 0)) // 2)
    if d.chance(0.3):
        slots = text.slots_of(inputs, block)
        slots[d.rng.random(tokens) < 0.2] = -1
        inputs[10] = slots.astype(np.int32)
    if d.chance(0.2):
        inputs[11] = numbers(d, heads)
    if d.chance(0.2):
        inputs[12:14] = [numbers(d, size), numbers(d, size)]
    expect = text.paged(inputs, attrs)
    outputs = "yp" if latent else "ypv"
    if d.chance(0.3):
        inputs += [None, None, ints(5, most * block)]
    return case(d, inputs, outputs, attrs=attrs, expect=expect)


# ---- Sparse ----

@row("SparseAttention", cases=30)
def sparse_attention(d):
    types(d)
    kv_heads, size, block, blocks = d.whole(1, 2), d.pick(8, 16), 16, d.whole(1, 3)
    layouts = d.whole(1, 2)
    heads = kv_heads * layouts * d.whole(1, 2)
    most = block * blocks
    rows = 1 if d.chance() else d.whole(1, most)
    batch = d.whole(1, 2) if rows == 1 else 1
    total = rows if rows > 1 else d.whole(1, most)
    lengths = d.rng.integers(1, total + 1, batch) if rows == 1 else np.full(batch, total)
    lengths[0] = total
    kept = np.tril(d.rng.random((layouts, blocks, blocks)) < 0.5) | np.eye(blocks, dtype=bool)
    lines = np.cumsum(np.concatenate([np.zeros((layouts, 1)), kept.sum(2)], 1), 1)
    columns = np.full((layouts, int(kept.sum((1, 2)).max())), -1)
    for layout, one in enumerate(kept):
        columns[layout, :one.sum()] = np.nonzero(one)[1]
    inputs = [None] * 11
    if d.chance(0.4):
        inputs[0] = numbers(d, batch, rows, (heads + 2 * kv_heads) * size)
    else:
        inputs[:3] = [numbers(d, batch, rows, n * size) for n in (heads, kv_heads, kv_heads)]
    inputs[3:5] = [numbers(d, batch, kv_heads, most, size) for _ in range(2)]
    inputs[5:7] = lines.astype(np.int32), columns.astype(np.int32)
    inputs[7:9] = ints(total), lengths.astype(np.int32)
    attrs = dict(num_heads=heads, kv_num_heads=kv_heads, sparse_block_size=block)
    attrs.update(d.attrs(scale=d.real(0.1, 1)))
    if d.chance(0.4):
        attrs["do_rotary"] = 1
        inputs[9:11] = tables(d, most, size // 2)
    # ONNX Runtime asks for caches that are shared, which its Python interface cannot say here.
    return case(d, inputs, 3, attrs=attrs, expect=text.sparse(inputs, attrs, kept))


# ---- Bias by position ----

@row("RelativePositionBias", cases=30)
def relative_position_bias(d):
    types(d)
    rows, buckets, heads = d.whole(1, 40), 2 * d.whole(2, 16), d.whole(1, 4)
    attrs = dict(max_distance=d.whole(20, 200))
    attrs.update(d.attrs(is_bidirectional=d.whole(0, 1)))
    inputs = [numbers(d, buckets, heads), np.array(rows), np.array(rows)]
    if d.chance():
        inputs[1:] = [one.reshape(1) for one in inputs[1:]]
    return case(d, inputs, attrs=attrs, expect=text.relative_position_bias(inputs, attrs))


@row("GatedRelativePositionBias", cases=20)
def gated_relative_position_bias(d):
    types(d)
    batch, rows, counts, offsets, sums = packing(d)
    heads, size, wide = d.whole(1, 3), d.whole(1, 6), 2 * d.whole(1, 4)
    query = numbers(d, batch, rows, heads * size)
    inputs = [query, numbers(d, heads * size), numbers(d, 1, heads, rows, rows),
              numbers(d, size, wide), numbers(d, wide), numbers(d, 1, heads, 1, 1)]
    mask = None
    if d.chance(0.4):
        inputs[0] = numbers(d, int(sums[-1]), heads * size)
        inputs += [offsets]
        mask = {0: (np.arange(rows) < counts[:, None])[:, None, :, None]}
    attrs = dict(num_heads=heads)
    return case(d, inputs, attrs=attrs, mask=mask,
                expect=text.gated_relative_position_bias(inputs, attrs))


# ---- States, and old forms ----

@row("LinearAttention", cases=50)
def linear_attention(d):
    types(d)
    batch, rows, keys, values = d.whole(1, 3), d.whole(1, 6), d.whole(1, 5), d.whole(1, 5)
    kv_heads, group = d.whole(1, 3), d.whole(1, 3)
    heads = kv_heads * group
    if d.chance(0.2):
        heads, kv_heads = kv_heads, heads
    rule = d.pick("linear", "gated", "delta", "gated_delta")
    window = d.pick(0, 0, 1, 3)
    state = (batch, kv_heads, keys, values)
    inputs = [numbers(d, batch, rows, heads * keys), numbers(d, batch, rows, kv_heads * keys),
              numbers(d, batch, rows, kv_heads * values)]
    past = numbers(d, *((window,) if window else ()), *state) if d.chance() else None
    decay = beta = None
    if "gated" in rule:
        decay = d.data((batch, rows, kv_heads * d.pick(1, keys)), d.real_type, -2, 0)
    if "delta" in rule:
        beta = d.data((batch, rows, kv_heads), d.real_type, 0, 0.5)
    attrs = dict(q_num_heads=heads, kv_num_heads=kv_heads, update_rule=rule)
    attrs.update(d.attrs(scale=d.pick(0.0, d.real(0.1, 1))))
    if window:
        attrs["state_window"] = window
    inputs += [past, decay, beta]
    expect = text.linear(inputs, attrs) if window else None  # ONNX Runtime keeps the last state
    return case(d, inputs, 2, attrs=attrs, expect=expect)


@row("LongformerAttention", cases=20)
def longformer_attention(d):
    types(d)
    window, heads, size = d.whole(1, 3), d.whole(1, 3), d.whole(1, 6)
    batch, rows, width = d.whole(1, 2), 2 * window * d.whole(1, 3), heads * size
    mask = np.zeros((batch, rows), d.real_type)
    mask[:, rows - d.whole(0, rows // 2):] = -10000
    flags = (d.rng.random((batch, rows)) < 0.2).astype(np.int32) * (mask == 0)
    weights = [d.data((width, 3 * width), d.real_type, -0.5, 0.5) for _ in range(2)]
    inputs = [numbers(d, batch, rows, width), weights[0], numbers(d, 3 * width), mask, weights[1],
              numbers(d, 3 * width), flags.astype(np.int32)]
    attrs = dict(num_heads=heads, window=window)
    inside = {0: ((mask == 0) | (flags > 0))[..., None]}  # padding attends to what it likes
    return case(d, inputs, attrs=attrs, expect=text.longformer(inputs, attrs), mask=inside)


@row("DecoderAttention", cases=20)
def decoder_attention(d):
    types(d)
    batch, rows, keys, heads, size = (d.whole(1, 3), d.whole(1, 4), d.whole(1, 5), d.whole(1, 3),
                                      d.whole(1, 6))
    width, cross, cached = heads * size, d.chance(), d.chance()
    past = d.whole(1, 4)
    total = (past if cached else keys) if cross else rows + (past if cached else 0)
    mask = d.rng.random((batch, total)) < 0.3 if d.chance() else None
    if mask is not None:
        mask[:, 0] = False
    inputs = [numbers(d, rows, batch, width), numbers(d, keys, batch, width),
              numbers(d, width, width), numbers(d, width, 2 * width), numbers(d, 3 * width), mask,
              numbers(d, batch, heads, past, size) if cached else None,
              numbers(d, batch, heads, past, size) if cached else None]
    inputs += [np.array(one) for one in (cross, cached, cached, mask is not None)]
    attrs = dict(num_heads=heads)
    return case(d, inputs, 3, attrs=attrs, expect=text.decoder_attention(inputs, attrs),
                constant={8, 9, 10, 11})
