"""Attention: projected or not, packed, padded, with caches. Where ONNX Runtime has no kernel on the
CPU the expected outputs come from attention_text.py, which is written from the contracts."""
import numpy as np

from contrib import attention_text as text
from contrib.table import row

FORMS = ("fixed", "fixed", "symbolic", "unknown dims")  # bodies need ranks


def case(d, inputs, outputs=1, **more):
    if d.real_type == "float16":  # scores are rounded too
        more["tolerance"] = "coarse"
    return d.case(inputs, outputs, form=d.pick(*FORMS), **more)


def ints(*values):
    return np.array(values, np.int32)


def numbers(d, *shape):
    narrow = d.real_type == "float16"
    return d.data(shape, d.real_type, -1.5 if narrow else None, 1.5 if narrow else None)


def types(d):
    """Most cases are in float32; the others round."""
    d.real_type = d.pick("float32", "float32", "float32", "float16")


def value(d, x):
    return x if d.chance() else None


def padded(d, batch, total, least=1):
    """A mask with ones in one run a sequence."""
    mask = np.zeros((batch, total), np.int32)
    for one in mask:
        # A causal row that sees padding alone has scores that only float32 tells apart.
        start = d.whole(0, total - least) if d.real_type == "float32" and d.chance(0.3) else 0
        one[start:d.whole(start + least, total)] = 1
    return mask


def filter_value(d):
    return d.pick(None, -10000.0, -1000.0, -3.4028234663852886e38)


# ---- Attention ----

def integer_mask(d, batch, rows, total, kinds):
    kind = d.pick(*kinds)
    if kind == "none":
        return None
    if kind == "B":
        return d.rng.integers(1, total + 1, batch).astype(np.int32)
    if kind == "2B":
        ends = d.rng.integers(1, total + 1, batch)
        starts = d.rng.integers(0, ends) if d.real_type == "float32" else 0 * ends
        return np.concatenate([ends, starts]).astype(np.int32)
    if kind == "3B+2":
        ends = d.rng.integers(1, total + 1, batch)
        starts = np.concatenate([[0], np.cumsum(ends)])
        return np.concatenate([ends, starts, starts]).astype(np.int32)
    if kind == "BT":
        return padded(d, batch, total)
    if kind == "BST":
        mask = d.rng.integers(0, 2, (batch, rows, total)).astype(np.int32)
        mask[..., 0] = 1
        return mask
    most = total + d.whole(0, 3)
    return np.tril(np.ones((batch, 1, most, most), np.int32))


@row("Attention", cases=160)
def attention(d):
    types(d)
    batch, rows, heads, size = d.whole(1, 3), d.whole(1, 6), d.whole(1, 4), d.whole(1, 9)
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
    if d.chance(0.3):
        added = numbers(d, d.pick(1, batch), d.pick(1, heads), rows, total)
    attrs = dict(num_heads=heads)
    attrs.update(d.attrs(unidirectional=d.whole(0, 1), mask_filter_value=filter_value(d),
                         scale=d.real(0.1, 1)))
    if other:
        attrs["qkv_hidden_sizes"] = sizes
    inputs = [numbers(d, batch, rows, width), numbers(d, width, full),
              numbers(d, full) if d.chance(0.8) else None, mask, past, added]
    own = d.chance(0.15) and past is not None
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
    expect = text.attention(inputs, attrs) if own else None
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
    return case(d, inputs, "yp" if past is not None else d.pick("y", "yp"), attrs=attrs)


# ---- Projected inputs ----

@row("MultiHeadAttention", cases=180)
def multi_head_attention(d):
    types(d)
    batch, rows, heads, size = d.whole(1, 3), d.whole(1, 6), d.whole(1, 4), d.whole(1, 9)
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
    if kind == "plain" and d.chance(0.4):
        past = d.pick(0, 1, 5)
        cache = [numbers(d, batch, heads, past, size),
                 numbers(d, batch, heads, past, other // heads), None]
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
    expect = text.multi_head(inputs, attrs) if own else None
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


# ---- Groups ----

def tables(d, most, size):
    angles = d.rng.uniform(-3, 3, (most, size))
    return np.cos(angles).astype(d.real_type), np.sin(angles).astype(d.real_type)


def quantised_cache(d, attrs, inputs, shape):
    """Replaces the caches by some of 8 or 4 bits."""
    bits = d.pick(8, 4)
    batch, heads, rows, size = shape
    kind, low, high = ("int8", -100, 100) if bits == 8 else ("uint8", 0, 255)
    for i in (0, 1):
        inputs[3 + i] = d.data((batch, heads, rows, size * bits // 8), kind, low, high)
        by = d.pick("PER_TENSOR", "PER_CHANNEL")
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
                   "ragged")
    batch = 1 if stage in ("chunk", "window") else d.whole(1, 3)
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
    attrs = dict(num_heads=heads, kv_num_heads=kv_heads)
    attrs.update(d.attrs(scale=d.real(0.1, 1), softcap=d.pick(None, d.real(0.5, 5)),
                         smooth_softmax=d.pick(None, 0, 1)))
    window = d.pick(None, None, d.whole(1, 5))
    if window:
        attrs["local_window_size"] = window
    elif d.chance(0.1):
        attrs["causal"] = 0
    inputs = [None] * 17
    if d.chance(0.4):
        inputs[0] = numbers(d, batch, rows, (heads + 2 * kv_heads) * size)
    else:
        inputs[:3] = [numbers(d, batch, rows, n * size) for n in (heads, kv_heads, kv_heads)]
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
    total = int(lengths.max())
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


# ---- Packed tokens ----

def packing(d):
    """(batch, rows, counts, token_offset, cumulated counts)"""
    batch, rows = d.whole(1, 4), d.whole(1, 6)
    counts = d.rng.integers(0, rows + 1, batch)
    counts[d.whole(0, batch - 1)] = rows
    there = np.arange(rows) < counts[:, None]
    flat = np.arange(batch * rows).reshape(batch, rows)
    offsets = np.concatenate([flat[there], flat[~there]]).reshape(batch, rows).astype(np.int32)
    return batch, rows, counts, offsets, np.cumsum([0, *counts]).astype(np.int32)


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


# ---- Positions ----

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
    attrs.update(d.attrs(interleaved=d.whole(0, 1)))
    x = numbers(d, batch, rows, heads * 2 * half)
    if d.chance(0.4):
        x = x.reshape(batch, heads, rows, 2 * half)
    at = d.rng.integers(0, 9, (3, batch, rows))
    cosines, sines = tables(d, 9, half)
    return d.case([x, at, cosines, sines], attrs=attrs, constant={2, 3},
                  form=d.pick(*FORMS))


@row("GemmaRotaryEmbedding", cases=10)
def gemma_rotary_embedding(d):
    d.real_type = "float16"
    batch, rows, heads, size = d.whole(1, 2), d.whole(1, 4), d.whole(1, 3), 2 * d.whole(1, 3)
    inputs = [d.data((batch, rows, size))] + [numbers(d, batch, heads, rows, size)
                                              for _ in range(4)]
    return case(d, inputs, 2, expect=text.gemma_rotary(inputs))


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
