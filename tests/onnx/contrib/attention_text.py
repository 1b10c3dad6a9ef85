"""What the attention operators of com.microsoft give, written from their contracts in NumPy, for
what ONNX Runtime has no kernel for on the CPU. Inputs come as lists in the operators' order, and
attributes as a dict; each function gives the list of outputs. All is computed in float64."""
import numpy as np


def get(inputs, i):
    return inputs[i] if i < len(inputs) else None


def wide(x):
    return None if x is None else np.asarray(x, np.float64)


def split(x, heads):
    return x.reshape(*x.shape[:2], heads, x.shape[2] // heads).transpose(0, 2, 1, 3)


def merge(x):
    batch, heads, rows, size = x.shape
    return x.transpose(0, 2, 1, 3).reshape(batch, rows, heads * size)


def softmax(x, sink=None):
    top = x.max(-1, keepdims=True, initial=-np.inf)
    top = top if sink is None else np.maximum(top, sink)
    top = np.where(np.isfinite(top), top, 0)
    e = np.exp(x - top)
    total = e.sum(-1, keepdims=True)
    total = total if sink is None else total + np.exp(sink - top)
    return e / np.where(total == 0, 1, total)


def attend(q, k, v, scale=None, bias=None, visible=None, hidden=-np.inf, softcap=0, sink=None):
    """(result, scores before the softmax, after it) of [B, H, S, D]."""
    group = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, group, 1), np.repeat(v, group, 1)
    scores = q @ k.transpose(0, 1, 3, 2) * (scale or 1 / np.sqrt(q.shape[-1]))
    if softcap:
        scores = softcap * np.tanh(scores / softcap)
    if bias is not None:
        scores = scores + bias
    if visible is not None:
        scores = np.where(visible, scores, hidden)
    weights = softmax(scores, sink)
    return weights @ v, scores, weights


def mask_bias(mask, batch, rows, total, past, value):
    """What an integer mask adds, [B or 1, 1, S or 1, T]."""
    if mask is None:
        return 0
    keys = np.arange(total)
    if mask.ndim == 1:
        keep = keys < mask[:batch, None]
        if len(mask) == 2 * batch:
            keep &= keys >= mask[batch:, None]
        keep = keep[:, None, None]
    elif mask.ndim == 2:
        keep = (mask > 0)[:, None, None]
    elif mask.ndim == 3:
        keep = (mask > 0)[:, None]
    else:
        keep = mask[:, :, past:past + rows, :total] > 0
    return np.where(keep, 0, value)


def masked(q, k, v, mask, added, past, attrs, dtype):
    """[B, H, S, D] with an integer mask and the causal bound of these operators."""
    batch, _, rows, _ = q.shape
    total = k.shape[2]
    value = attrs.get("mask_filter_value", -10000.0)
    value = max(value, float(np.finfo(dtype).min))
    bias = mask_bias(mask, batch, rows, total, past, value)
    bias = bias if added is None else bias + wide(added)
    visible = None
    if attrs.get("unidirectional"):
        visible = np.arange(total) <= np.arange(rows)[:, None] + past
    return attend(q, k, v, attrs.get("scale"), bias, visible, float(np.finfo(np.float32).min))


def follow(x, table, past):
    """Beams: each key comes from the row that the table names."""
    groups, beams, _ = table.shape
    out = x.copy()
    for one in range(groups * beams):
        first = one // beams * beams
        for key in range(past):
            out[one, :, key] = x[first + table[one // beams, one % beams, key], :, key]
    return out


def rotate(x, cosines, sines, interleaved=False):
    """The tables are [B or 1, 1, S, half]."""
    half, out = cosines.shape[-1], x.copy()
    a, b = ((x[..., 0:2 * half:2], x[..., 1:2 * half:2]) if interleaved
            else (x[..., :half], x[..., half:2 * half]))
    turned = cosines * a - sines * b, sines * a + cosines * b
    if interleaved:
        out[..., 0:2 * half:2], out[..., 1:2 * half:2] = turned
    else:
        out[..., :half], out[..., half:2 * half] = turned
    return out


# ---- Projected inside ----

def attention(inputs, attrs):
    x, weights, bias, mask, past, added, used = [get(inputs, i) for i in range(7)]
    dtype, heads = x.dtype, attrs["num_heads"]
    qkv = wide(x) @ wide(weights) + (0 if bias is None else wide(bias))
    sizes = attrs.get("qkv_hidden_sizes", [qkv.shape[2] // 3] * 3)
    q, k, v = (split(one, heads) for one in np.split(qkv, np.cumsum(sizes)[:2], 2))
    rows = q.shape[2]
    before = 0
    if past is not None:
        before = int(used[0]) if attrs.get("past_present_share_buffer") else past.shape[3]
    if attrs.get("do_rotary"):
        rates = 10000.0 ** (-np.arange(0, q.shape[3], 2) / q.shape[3])
        angles = ((before + np.arange(rows))[:, None] * rates)[None, None]
        q, k = (rotate(one, np.cos(angles), np.sin(angles)) for one in (q, k))
    present = np.stack([k, v]) if k.shape == v.shape else None
    if past is not None:
        present = np.concatenate([wide(past)[..., :before, :], present,
                                  wide(past)[..., before + rows:, :]], 3)
        k, v = present[..., :before + rows, :]
        if get(inputs, 8) is not None:
            k, v = follow(k, inputs[8], before), follow(v, inputs[8], before)
    y, _, _ = masked(q, k, v, mask, added, before, attrs, dtype)
    if present is None:
        return [merge(y).astype(dtype)]
    return [merge(y).astype(dtype), present.astype(dtype)]


def quantised_attention(inputs, attrs):
    x, weights, bias, x_scale, scale, mask, x_zero, zero, past = inputs
    x = (wide(x) - (0 if x_zero is None else wide(x_zero))) * x_scale
    weights = (wide(weights) - (0 if zero is None else wide(zero))) * scale
    return attention([x.astype(np.float32), weights, bias, mask, past], attrs)


# ---- Projected outside ----

def write(past, fresh, at):
    out = wide(past).copy()
    out[:, :, at:at + fresh.shape[2]] = fresh
    return out


def with_cache(q, k, v, mask, added, past, used, table, attrs, dtype):
    before, present = 0, (k, v)
    if past[0] is not None:
        if used is None:
            before = past[0].shape[2]
            k, v = (np.concatenate([wide(p), x], 2) for p, x in zip(past, (k, v)))
            present = k, v
        else:
            before = int(used[0])
            total = before + k.shape[2]
            present = [write(p, x, before) for p, x in zip(past, (k, v))]
            k, v = (x[:, :, :total] for x in present)
        if table is not None:
            k, v = follow(k, table, before), follow(v, table, before)
    y, scores, _ = masked(q, k, v, mask, added, before, attrs, dtype)
    scores = np.maximum(scores, np.finfo(np.float32).min)
    return [one.astype(dtype) for one in (merge(y), *present, scores)]


def multi_head(inputs, attrs):
    query, key, value, bias, mask, added, past_key, past_value, used = \
        [get(inputs, i) for i in range(9)]
    heads, dtype = attrs["num_heads"], query.dtype
    if query.ndim == 5:
        q, k, v = wide(query).transpose(3, 0, 2, 1, 4)
    elif key.ndim == 5:
        q, (k, v) = split(wide(query), heads), wide(key).transpose(3, 0, 2, 1, 4)
    elif key.ndim == 4:
        q, k, v = split(wide(query), heads), wide(key), wide(value)
    else:
        q, k, v = (split(wide(x), heads) for x in (query, key, value))
    if bias is not None:
        width = heads * q.shape[3]
        parts = np.split(wide(bias), [width, 2 * width])
        q, k, v = (x + part.reshape(heads, 1, -1) for x, part in zip((q, k, v), parts))
    return with_cache(q, k, v, mask, added, (past_key, past_value), used, None, attrs, dtype)


def decoder_multi_head(inputs, attrs):
    query, key, value, mask, added, past_key, past_value, used, _, table, bias = \
        [get(inputs, i) for i in range(11)]
    heads, dtype = attrs["num_heads"], query.dtype
    if key is None:
        q, k, v = (split(x, heads) for x in np.split(wide(query), 3, 2))
    elif key.ndim == 4:
        q, k, v = split(wide(query), heads), wide(key), wide(value)
    else:
        q, k, v = (split(wide(x), heads) for x in (query, key, value))
    if bias is not None:
        q, k, v = (x + part.reshape(heads, 1, -1)
                   for x, part in zip((q, k, v), np.split(wide(bias), 3)))
    return with_cache(q, k, v, mask, added, (past_key, past_value), used, table, attrs, dtype)


# ---- Groups ----

def rms(x, weight, epsilon):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * wide(weight)


def rows_kept(tokens, size, window):
    step = size - window + 1
    gone = np.maximum(np.ceil((tokens - size) / step), 0) * step
    return (tokens - gone).astype(int)


def load(cache, scale):
    if cache.dtype == np.uint8:
        pairs = np.stack([cache & 15, cache >> 4], -1).astype(np.float64) - 8
        cache = pairs.reshape(*cache.shape[:-1], -1)
    return wide(cache) * (1 if scale is None else wide(scale))


def store(x, like, scale):
    if like.dtype not in (np.int8, np.uint8):
        return x.astype(like.dtype)
    x = np.rint((x.astype(np.float32) / scale).astype(np.float32))
    if like.dtype == np.int8:
        return np.clip(x, -128, 127).astype(np.int8)
    x = (np.clip(x, -8, 7) + 8).astype(np.uint8)
    return x[..., 0::2] | x[..., 1::2] << 4


def three_parts(inputs, heads, kv_heads, axis):
    if inputs[1] is not None:
        return [wide(x) for x in inputs[:3]]
    size = inputs[0].shape[axis] // (heads + 2 * kv_heads)
    return np.split(wide(inputs[0]), [heads * size, (heads + kv_heads) * size], axis)


def grouped(inputs, attrs):
    dtype = inputs[0].dtype
    heads, kv_heads = attrs["num_heads"], attrs["kv_num_heads"]
    q, k, v = three_parts(inputs, heads, kv_heads, 2)
    q, k, v = split(q, heads), split(k, kv_heads), split(v, kv_heads)
    batch, _, rows, _ = q.shape
    if inputs[14] is not None:
        epsilon = attrs.get("qk_norm_epsilon", 1e-6)
        q, k = rms(q, inputs[14], epsilon), rms(k, inputs[15], epsilon)
    after, total = inputs[5].reshape(-1).astype(int) + 1, int(np.reshape(inputs[6], -1)[0])
    fresh = np.full(batch, rows) if inputs[16] is None else inputs[16].astype(int)
    before = np.maximum(after - fresh, 0)
    if attrs.get("do_rotary"):
        at = before[:, None] + np.arange(rows)
        if inputs[9] is not None:
            at = inputs[9].ravel()[0] + np.arange(rows) if rows == total else inputs[9]
        at = np.minimum(np.broadcast_to(at, (batch, rows)), len(inputs[7]) - 1)
        cosines, sines = (wide(t)[at][:, None] for t in inputs[7:9])
        q, k = (rotate(x, cosines[:, :, :x.shape[2]], sines[:, :, :x.shape[2]],
                       attrs.get("rotary_interleaved")) for x in (q, k))
    window, outputs = attrs.get("local_window_size", -1), []
    results = []
    for b in range(batch):
        results.append(one_group(inputs, attrs, b, q[b:b + 1], k[b:b + 1], v[b:b + 1],
                                 int(before[b]), int(after[b]), total, window))
    outputs = [np.concatenate(parts) for parts in zip(*results)]
    outputs[0] = merge(outputs[0]).astype(dtype)
    outputs[3] = outputs[3].astype(dtype)
    return outputs


def one_group(inputs, attrs, b, q, k, v, before, after, total, window):
    """A sequence: its rows by absolute position first, then the cache that is left of them."""
    rows, presents, reads, first = q.shape[2], [], [], 0
    shift = 0
    for i, x in ((0, k), (1, v)):
        past, scale = inputs[3 + i], inputs[12 + i]
        if past is None:
            presents.append(x.astype(inputs[0].dtype))
            reads.append(x)
            continue
        past, fresh = past[b:b + 1], store(x, inputs[3 + i], scale)
        size = past.shape[2]
        if attrs.get("sliding_window_cache"):
            kept, left = (int(rows_kept(np.array(n), size, window)) for n in (before, after))
            shift = before - kept
            joined = np.concatenate([past[:, :, :kept], fresh], 2)
            present = np.zeros_like(past)
            present[:, :, :left] = joined[:, :, kept + after - before - left:][:, :, :left]
        else:
            joined = np.concatenate([past, np.zeros_like(past, shape=(
                *past.shape[:2], max(total - size, 0), past.shape[3]))], 2)
            joined[:, :, before:before + fresh.shape[2]] = fresh
            present = joined
        presents.append(present)
        reads.append(load(joined, scale))
    k, v = reads
    keys = np.arange(k.shape[2]) + shift
    at = np.arange(rows)[:, None] + before
    visible = np.broadcast_to(keys < after, (rows, len(keys)))
    if attrs.get("causal", 1):
        visible = visible & (keys <= at)
    if window > 0:
        visible = visible & (keys > at - window)
    bias = None
    if inputs[10] is not None:
        bias = wide(inputs[10])[b if len(inputs[10]) > 1 else 0][None]
        bias = bias[..., np.minimum(keys, bias.shape[3] - 1)]
    sink = None
    if inputs[11] is not None:
        sink = wide(inputs[11])[None, :, None, None]
    elif attrs.get("smooth_softmax") == 1:
        sink = 0.0
    y, scores, weights = attend(q, k, v, attrs.get("scale"), bias, visible,
                                softcap=attrs.get("softcap", 0), sink=sink)
    kept = weights if attrs.get("qk_output") == 2 else np.where(visible, scores, 0)
    return y, presents[0], presents[1], kept[..., :total]


# ---- Packed tokens ----

def unpacked(x, offsets, tokens):
    """Tokens back at their places, padding as zeros: [B, S, ...]."""
    out = np.zeros((offsets.size, *x.shape[1:]))
    out[offsets.ravel()[:tokens]] = x
    return out.reshape(*offsets.shape, *x.shape[1:])


def packed(q, k, v, heads, offsets, sums, added, attrs, dtype):
    """Tokens [T, channels] of each."""
    tokens = len(q)
    q, k, v = (split(unpacked(x, offsets, tokens), heads) for x in (q, k, v))
    visible = (np.arange(k.shape[2]) < np.diff(sums)[:, None])[:, None, None]
    y, _, _ = attend(q, k, v, attrs.get("scale"), wide(added), visible)
    y = merge(y).reshape(offsets.size, -1)
    return [y[offsets.ravel()[:tokens]].astype(dtype)]


def packed_multi_head(inputs, attrs):
    query, key, value, bias, offsets, sums = inputs[:6]
    heads = attrs["num_heads"]
    if query.ndim == 4:
        q, k, v = wide(query).transpose(2, 0, 1, 3).reshape(3, len(query), -1)
    else:
        q, k, v = wide(query), wide(key), wide(value)
    if bias is not None:
        width = q.shape[1]
        q, k, v = (x + part for x, part in
                   zip((q, k, v), np.split(wide(bias), [width, 2 * width])))
    return packed(q, k, v, heads, offsets, sums, get(inputs, 6), attrs, query.dtype)


def packed_attention(inputs, attrs):
    x, weights, bias, offsets, sums = inputs[:5]
    qkv = wide(x) @ wide(weights) + wide(bias)
    sizes = attrs.get("qkv_hidden_sizes", [qkv.shape[1] // 3] * 3)
    q, k, v = np.split(qkv, np.cumsum(sizes)[:2], 1)
    return packed(q, k, v, attrs["num_heads"], offsets, sums, get(inputs, 5), attrs, x.dtype)


# ---- Pages ----

def slots_of(inputs, block):
    """Where each token is written, by the table."""
    sums, past, table = (np.asarray(x).astype(int) for x in inputs[5:8])
    slots = []
    for b, first in enumerate(sums[:-1]):
        for i in range(sums[b + 1] - first):
            at = past[b] + i
            slots.append(table[b, at // block] * block + at % block)
    return np.array(slots)


def paged(inputs, attrs):
    dtype, heads, kv_heads = inputs[0].dtype, attrs["num_heads"], attrs["kv_num_heads"]
    latent = attrs.get("kv_cache_layout") == "LATENT"
    block = inputs[3].shape[1]
    sums, past, table = (np.asarray(x).astype(int) for x in inputs[5:8])
    if latent:
        q, k, v = wide(inputs[0]), wide(inputs[1]), None
    else:
        q, k, v = three_parts(inputs, heads, kv_heads, 1)
    tokens = len(q)
    q, k = q.reshape(tokens, heads, -1), k.reshape(tokens, kv_heads, -1)
    if inputs[12] is not None:
        q, k = rms(q, inputs[12], 1e-6), rms(k, inputs[13], 1e-6)
    if attrs.get("do_rotary"):
        at = np.concatenate([past[b] + np.arange(n) for b, n in enumerate(np.diff(sums))])
        cosines, sines = (wide(t)[at][:, None] for t in inputs[8:10])
        first = attrs.get("rotary_offset", 0)
        for x in (q, k):
            x[..., first:] = rotate(x[..., first:], cosines, sines,
                                    attrs.get("rotary_interleaved"))
    slots = slots_of(inputs, block) if inputs[10] is None else inputs[10]
    caches = []
    for i, x in ((0, k), (1, v)):
        if x is None:
            continue
        cache = inputs[3 + i].copy()
        flat = cache.reshape(-1, *cache.shape[2:])
        for token, slot in enumerate(slots):
            if slot >= 0:
                flat[slot] = x[token].reshape(kv_heads, -1)
        caches.append(cache)
    y = []
    for b, n in enumerate(np.diff(sums)):
        q_b = q[sums[b]:sums[b + 1]].transpose(1, 0, 2)[None]
        rows = [wide(c)[table[b]].reshape(-1, *c.shape[2:]).transpose(1, 0, 2)[None]
                for c in caches]
        k_b = rows[0]
        v_b = k_b[..., :attrs["v_head_size"]] if latent else rows[1]
        keys, at = np.arange(k_b.shape[2]), np.arange(n)[:, None] + past[b]
        visible = np.broadcast_to(keys < past[b] + n, (n, len(keys)))
        if attrs.get("is_causal", 1):
            visible = visible & (keys <= at)
        if attrs.get("local_window_size", -1) > 0:
            visible = visible & (keys > at - attrs["local_window_size"])
        sink = None if inputs[11] is None else wide(inputs[11])[None, :, None, None]
        out, _, _ = attend(q_b, k_b, v_b, attrs.get("scale"), None, visible,
                           softcap=attrs.get("softcap", 0), sink=sink)
        y.append(out[0].transpose(1, 0, 2).reshape(n, heads * v_b.shape[3]))
    return [np.concatenate(y).astype(dtype), *caches]


# ---- Sparse ----

def sparse(inputs, attrs, kept):
    """`kept`: which blocks of keys a block of queries reads, [layouts, blocks, blocks]."""
    dtype, heads, kv_heads = inputs[0].dtype, attrs["num_heads"], attrs["kv_num_heads"]
    q, k, v = three_parts(inputs, heads, kv_heads, 2)
    q, k, v = split(q, heads), split(k, kv_heads), split(v, kv_heads)
    batch, _, rows, _ = q.shape
    after = inputs[8].astype(int)
    at = np.maximum(after - rows, 0)[:, None] + np.arange(rows)
    if attrs.get("do_rotary"):
        cosines, sines = (wide(t)[at][:, None] for t in inputs[9:11])
        q, k = (rotate(x, cosines, sines, attrs.get("rotary_interleaved")) for x in (q, k))
    block, presents = attrs["sparse_block_size"], []
    for past, x in ((inputs[3], k), (inputs[4], v)):
        present = past.copy()
        for b in range(batch):
            present[b, :, at[b, 0]:at[b, 0] + rows] = x[b]
        presents.append(present)
    keys = np.arange(inputs[3].shape[2])
    wanted = kept[:, (at // block)[..., None], keys // block]  # [layouts, B, S, M]
    wanted = wanted[np.arange(heads) % len(kept)].transpose(1, 0, 2, 3)
    visible = wanted & (keys <= at[:, None, :, None]) & (keys < after[:, None, None, None])
    y, _, _ = attend(q, wide(presents[0]), wide(presents[1]), attrs.get("scale"), None, visible)
    return [merge(y).astype(dtype), *presents]


# ---- Positions ----

def gemma_rotary(inputs):
    angles, q, q_turned, k, k_turned = inputs
    sines = np.sin(angles).astype(q.dtype)[:, None]
    cosines = np.cos(angles).astype(q.dtype)[:, None]
    return [q * cosines + q_turned * sines, k * cosines + k_turned * sines]


def relative_position_bias(inputs, attrs):
    """The table's memory is [heads, buckets], whatever its shape says."""
    buckets, heads = inputs[0].shape
    table = inputs[0].reshape(heads, buckets)
    rows, columns = (int(np.reshape(x, -1)[0]) for x in inputs[1:3])
    distance = np.arange(columns) - np.arange(rows)[:, None]
    bucket = np.zeros_like(distance)
    if attrs.get("is_bidirectional"):
        buckets //= 2
        bucket = (distance > 0) * buckets
        distance = np.abs(distance)
    else:
        distance = np.maximum(-distance, 0)
    exact = buckets // 2
    with np.errstate(divide="ignore"):
        steps = np.log(distance.astype(np.float32) / np.float32(exact))
    # Where 32 buckets end, whatever the table.
    span = np.log(attrs["max_distance"] / (8 if attrs.get("is_bidirectional") else 16))
    steps = steps / np.float32(span) * np.float32(buckets - exact)
    far = np.minimum(exact + np.where(distance > 0, steps, 0).astype(int), buckets - 1)
    bucket = bucket + np.where(distance < exact, distance, far)
    return [table[:, bucket][None]]


def gated_relative_position_bias(inputs, attrs):
    query, query_bias, positions, weight, bias, constant = [wide(x) for x in inputs[:6]]
    if len(inputs) > 6:
        query = unpacked(query, inputs[6], len(query))
    q = split(query + query_bias, attrs["num_heads"])
    gates = q @ weight + bias
    gates = gates.reshape(*gates.shape[:3], 2, -1).sum(-1)
    gates = 1 / (1 + np.exp(-gates))
    gate = gates[..., :1] * (gates[..., 1:] * constant - 1) + 2
    return [(gate * positions).astype(inputs[0].dtype)]


# ---- States ----

def linear(inputs, attrs):
    """Recurrences, with the states after each of the last tokens."""
    dtype, heads, kv_heads = inputs[0].dtype, attrs["q_num_heads"], attrs["kv_num_heads"]
    q, k, v = (split(wide(x), n) for x, n in zip(inputs, (heads, kv_heads, kv_heads)))
    past, decay, beta = (wide(get(inputs, i)) for i in (3, 4, 5))
    rule, window = attrs["update_rule"], attrs["state_window"]
    q, group = np.repeat(q, max(kv_heads // heads, 1), 1), max(heads // kv_heads, 1)
    state = np.zeros((*k.shape[:2], k.shape[3], v.shape[3])) if past is None else past[-1]
    y, states = [], []
    for t in range(q.shape[2]):
        key, value = k[:, :, t], v[:, :, t]
        if "gated" in rule:
            state = state * np.exp(split(decay[:, t:t + 1], kv_heads)[:, :, 0])[..., None]
        if "delta" in rule:
            seen = np.einsum("bhkv,bhk->bhv", state, key)
            value = beta[:, t, :, None] * (value - seen)
        state = state + key[..., None] * value[:, :, None]
        read = np.repeat(state, group, 1)
        y.append(np.einsum("bhkv,bhk->bhv", read, q[:, :, t]))
        states.append(state)
    y = np.stack(y, 2) * (attrs.get("scale") or 1 / np.sqrt(k.shape[3]))
    states = [np.zeros_like(state)] * max(window - len(states), 0) + states
    return [merge(y).astype(dtype), np.stack(states[-window:]).astype(dtype)]


# ---- Old forms ----

def longformer(inputs, attrs):
    x, weight, bias, mask, global_weight, global_bias = [wide(one) for one in inputs[:6]]
    heads, flags = attrs["num_heads"], inputs[6] > 0
    at = np.arange(x.shape[1])
    near = np.abs(at[:, None] - at) <= attrs["window"]
    visible = (near | flags[:, None, :])[:, None]
    results = []
    for w, extra, who in ((weight, bias, visible), (global_weight, global_bias, None)):
        q, k, v = (split(part, heads) for part in np.split(x @ w + extra, 3, 2))
        results.append(merge(attend(q, k, v, None, mask[:, None, None], who)[0]))
    return [np.where(flags[..., None], results[1], results[0]).astype(inputs[0].dtype)]


def decoder_attention(inputs, attrs):
    query, key, q_weight, kv_weight, bias, mask, key_cache, value_cache = inputs[:8]
    cross, use_past, has_state, has_mask = (bool(np.all(one)) for one in inputs[8:12])
    heads, width, dtype = attrs["num_heads"], q_weight.shape[1], query.dtype
    cached = use_past and has_state

    def project(x, weight, part):
        return (wide(x) @ wide(weight) + wide(part)).transpose(1, 0, 2)

    q = split(project(query, q_weight, bias[:width]), heads)
    if cross and cached:
        k, v = wide(key_cache), wide(value_cache)
    else:
        both = project(key if cross else query, kv_weight, bias[width:])
        k, v = (split(x, heads) for x in np.split(both, 2, 2))
        if cached:
            k = np.concatenate([wide(key_cache), k], 2)
            v = np.concatenate([wide(value_cache), v], 2)
    extra = 0
    if has_mask and mask is not None:
        extra = np.where(mask, attrs.get("mask_filter_value", -10000.0), 0)[:, None, None]
    y, _, _ = attend(q, k, v, None, extra)
    return [x.astype(dtype) for x in (merge(y).transpose(1, 0, 2), k, v)]
