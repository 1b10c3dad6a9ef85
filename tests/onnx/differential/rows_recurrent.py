"""Rows of recurrent networks, attention, signals and text features."""
import numpy as np

from differential.table import row

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}

@row(*GATES)
def recurrent(d):
    gates, direction = GATES[d.op], d.pick("forward", "reverse", "bidirectional")
    length, n, size, hidden = d.whole(1, 5), d.whole(1, 3), d.whole(1, 5), d.whole(1, 5)
    ways = 2 if direction == "bidirectional" else 1
    attrs = {"hidden_size": hidden}
    attrs |= {"direction": direction} if direction != "forward" else {}
    attrs |= {"clip": d.real(0.3, 2)} if d.chance(0.2) else {}
    if d.op == "GRU":
        attrs |= d.attrs(linear_before_reset=d.pick(0, 1))
    if d.chance(0.3):
        count = ways * {"RNN": 1, "GRU": 2, "LSTM": 3}[d.op]
        attrs["activations"] = [d.pick("Sigmoid", "Tanh", "Relu", "Softsign") for _ in range(count)]
    x = d.data((length, n, size))
    weights = [d.data((ways, gates * hidden, k), "float32", -0.6, 0.6) for k in (size, hidden)]
    bias = d.data((ways, 2 * gates * hidden), "float32", -1, 1)
    lengths = d.rng.integers(1, length + 1, n).astype(np.int32)
    lengths[0] = length
    more = [bias, lengths] + [d.data((ways, n, hidden)) for _ in range(1 + (d.op == "LSTM"))]
    if d.op == "LSTM":
        more.append(d.data((ways, 3 * hidden)))
    more = [v if d.chance(0.6) else None for v in more]
    return d.case([x, *weights, *more], d.pick("yz", "y", "-z") if d.op != "LSTM" else
                  d.pick("yzu", "y", "-zu", "--u"), attrs=attrs)


# ---- Attention: the evaluator is what made the standard's own test data ----

@row("Attention", order=("reference",), ranked=True)
def attention(d):
    n, q, kv, size, out = (d.whole(1, 3), d.whole(1, 5), d.whole(1, 6), 2 * d.whole(1, 4),
                           d.whole(1, 5))
    heads, group = d.whole(1, 3), d.pick(1, 1, 2)
    q = 33 if d.long else q
    flat = d.chance(0.4)
    shapes = [(n, heads * group, q, size), (n, heads, kv, size), (n, heads, kv, out)]
    attrs = d.attrs(scale=d.pick(None, d.real(0.1, 1)), softcap=d.pick(None, None, d.real(1, 5)))
    if flat:
        shapes = [(b, s, h * w) for b, h, s, w in shapes]
        attrs |= {"q_num_heads": heads * group, "kv_num_heads": heads}
    past = d.whole(1, 4) if d.chance(0.3) else 0
    attrs |= {"is_causal": 1} if d.chance(0.3) else {}
    if d.opset >= 25 and d.chance(0.4):
        attrs |= d.attrs(left_window_size=d.whole(0, 3), right_window_size=d.whole(0, 3))
    lengths = None
    if d.opset >= 24 and not past and d.chance(0.3):
        lengths = d.rng.integers(1, kv + 1, n).astype(np.int64)
    mask = None
    if d.chance(0.5):
        shape = d.narrowed((n, heads * group, q, past + kv))
        shape = (1,) * max(0, 2 - len(shape)) + shape
        shape = shape[:-2] + (q, past + kv)
        mask = d.data(shape, d.pick("float32", "bool"))
        if mask.dtype == bool:
            mask[..., 0] = True
    inputs = [d.data(s) for s in shapes] + [mask]
    if past:
        inputs += [d.data((n, heads, past, size)), d.data((n, heads, past, out))]
    elif lengths is not None:
        inputs += [None, None, lengths]
    outputs = d.pick("y", "yzu") if past else "y"
    if d.chance(0.2):
        outputs = "yzuv" if past else "y--v"
        # Mode 0 is before softcap by the text, after it in the evaluator.
        attrs["qk_matmul_output_mode"] = d.whole(int("softcap" in attrs), 3)
    return d.case(inputs, outputs, attrs=attrs)


@row("RotaryEmbedding", order=("reference",))
def rotary(d):
    n, length, heads, size = d.whole(1, 3), d.whole(1, 5), d.whole(1, 3), 2 * d.whole(2, 5)
    flat, part = d.chance(0.4), d.pick(0, 0, 2, 4)
    attrs = d.attrs(interleaved=d.pick(0, 1)) | ({"rotary_embedding_dim": part} if part else {})
    x = d.data((n, length, heads * size) if flat else (n, heads, length, size))
    attrs |= {"num_heads": heads} if flat else {}
    half = (part or size) // 2
    if d.chance(0.6):
        places = d.rng.integers(0, 9, (n, length)).astype(np.int64)
        return d.case([x, d.data((9, half)), d.data((9, half)), places], attrs=attrs)
    return d.case([x, d.data((n, length, half)), d.data((n, length, half))], attrs=attrs)


@row("LinearAttention", order=("reference",))
def linear_attention(d):
    n, length, heads, group = d.whole(1, 2), d.whole(1, 5), d.whole(1, 3), d.pick(1, 2)
    dk, dv = d.whole(1, 5), d.whole(1, 5)
    rule = d.pick("linear", "gated", "delta", "gated_delta")
    past = d.data((n, heads, dk, dv), "float32", -1, 1) if d.chance() else None
    width = heads * d.pick(1, dk)
    decay = d.data((n, length, width), "float32", -1, 0) if "gated" in rule else None
    beta = d.data((n, length, heads), "float32", 0, 1) if "delta" in rule else None
    attrs = {"q_num_heads": heads * group, "kv_num_heads": heads, "update_rule": rule}
    return d.case([d.data((n, length, heads * group * dk), "float32", -1, 1),
                   d.data((n, length, heads * dk), "float32", -1, 1),
                   d.data((n, length, heads * dv)), past, decay, beta], 2,
                  attrs=attrs | d.attrs(scale=d.real(0.2, 1)))


# ---- Signals ----

# ONNX Runtime adds in float32, with errors above the tolerance.
@row("DFT", order=("reference",))
def dft(d):
    real = d.chance()
    x = list(d.shape(least=2, most=3, low=2, zero=False))
    axis = d.whole(0, len(x) - 1)
    inverse = d.pick(0, 1)
    onesided = d.pick(0, 1) if real and not inverse else 0
    length = np.array(d.whole(2, 8), np.int64) if d.chance(0.3) else None
    attrs = d.attrs(inverse=inverse) | ({"onesided": 1} if onesided else {})
    data = d.data((*x, 1 if real else 2))
    if d.opset < 20:
        axis = axis or 1
        return d.case([data, length], attrs=attrs | {"axis": axis})
    axis = axis - len(x) - 1 if d.chance(0.4) else axis
    return d.case([data, length, np.array(axis, np.int64)], attrs=attrs)


@row("STFT", order=("reference",))
def stft(d):
    frame, step = d.whole(4, 8), d.whole(1, 4)
    signal = d.data((d.whole(1, 2), d.whole(frame, 30), 1))
    window = d.data((frame,)) if d.chance() else None
    length = np.array(frame, np.int64) if window is None or d.chance() else None
    return d.case([signal, np.array(step, np.int64), window, length],
                  attrs=d.attrs(onesided=d.pick(0, 1)))


@row("HannWindow", "HammingWindow", "BlackmanWindow")
def window(d):
    size = d.whole(2, 60)
    return d.case([np.array(size, d.pick(np.int64, np.int32))],
                  attrs=d.attrs(periodic=d.pick(0, 1)))


@row("MelWeightMatrix")
def mel_weights(d):
    low = d.real(0, 100)
    values = (np.array(d.whole(2, 12), np.int64), np.array(d.pick(16, 32, 64), np.int64),
              np.array(d.pick(8000, 16000), np.int64), np.array(low, np.float32),
              np.array(low + d.real(500, 3000), np.float32))
    return d.case(list(values))


# ---- Text ----

@row("TfIdfVectorizer")
def tf_idf(d):
    longest, skip = d.whole(1, 3), d.whole(0, 2)
    pool, starts = [], []
    for n in range(1, longest + 1):
        starts.append(len(pool))
        grams = {tuple(d.rng.integers(0, 4, n).tolist()) for _ in range(d.whole(1, 4))}
        pool += [token for gram in sorted(grams) for token in gram]
    ends = starts[1:] + [len(pool)]
    count = sum((end - start) // (n + 1) for n, (start, end) in enumerate(zip(starts, ends)))
    attrs = {"mode": d.pick("TF", "IDF", "TFIDF"), "min_gram_length": d.whole(1, longest),
             "max_gram_length": longest, "max_skip_count": skip, "ngram_counts": starts,
             "ngram_indexes": d.rng.permutation(count).tolist(), "pool_int64s": pool}
    attrs |= d.attrs(weights=[d.real(0, 2) for _ in range(count)])
    shape = (d.whole(0 if d.zero else 1, 9),) if d.chance() else (d.whole(1, 3), d.whole(1, 9))
    return d.case([d.data(shape, d.pick("int64", "int32"), 0, 4)], attrs=attrs)
