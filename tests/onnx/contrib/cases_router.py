"""Routers of experts, and hashes of runs of tokens."""
import numpy as np

from contrib.table import row


@row("MoEGroupRouter")
def group_router(d):
    groups, size = d.whole(1, 4), d.whole(2, 6)
    experts = groups * size
    dtype = d.dtype(("float32", "float32", "float16", "bfloat16"))
    active = d.whole(1, groups)
    attrs = {"n_group": groups, "topk_group": active, "top_k": d.whole(1, active * size)}
    attrs |= d.attrs(group_topk=d.whole(1, 3), router_sentinel=d.real(-2000, -1000))
    shape = d.pick((d.whole(1, 6),), (d.whole(1, 2), d.whole(1, 5))) + (experts,)
    # No two alike, so that rounding decides nothing.
    logits = d.distinct(shape).astype(np.float32) / max(1, np.prod(shape)) * 4
    bias = d.data((experts,), "float32", -0.01, 0.01)
    if groups == 1 and d.chance(0.4):
        attrs |= {"topk_group": 1}
        return d.case([logits.astype(dtype), bias], "-sw", attrs=attrs)
    return d.case([logits.astype(dtype), bias], attrs=attrs)


def hashing(d, tokens):
    n, heads, kind = d.whole(2, 4), d.whole(1, 3), d.pick("int32", "int64")
    width = (n - 1) * heads
    ids = d.rng.integers(0, 9, tokens).astype(kind)
    multipliers = (2 * d.rng.integers(1, 2 ** 13, n) + 1).astype(kind)
    sizes = d.rng.integers(1, 50, width).astype(kind)
    offsets = d.rng.integers(0, 1000, width).astype(kind) if d.chance() else None
    eos = np.array(d.whole(0, 8), kind) if d.chance() else None
    attrs = {"max_ngram_size": n, "n_head_per_ngram": heads, "pad_id": d.whole(0, 9)}
    attrs |= d.attrs(reset_on_eos=d.pick(0, 1))
    segments = np.sort(d.rng.integers(0, 3, tokens)).astype(np.int32) if d.chance() else None
    return n, kind, [ids, multipliers, sizes], offsets, eos, segments, attrs


@row("NGramHashMapping")
def ngram_hash(d):
    batch, length = d.whole(1, 3), d.whole(1, 8)
    n, kind, first, offsets, eos, segments, attrs = hashing(d, (batch, length))
    past = d.rng.integers(0, 9, (batch, n - 1)).astype(kind) if d.chance() else None
    return d.case([*first, past, offsets, eos, segments], 2, attrs=attrs)


@row("VarlenNGramHashMapping")
def varlen_ngram_hash(d):
    lengths = [d.whole(1, 6) for _ in range(d.whole(1, 3))]
    batch = len(lengths)
    n, kind, first, offsets, eos, segments, attrs = hashing(d, (sum(lengths),))
    starts = np.cumsum([0, *lengths]).astype(np.int32)
    past = d.rng.integers(0, 9, (batch, n - 1)).astype(kind) if d.chance() else None
    old = None
    if past is not None and segments is not None:
        old = d.rng.integers(0, 3, (batch, n - 1)).astype(np.int32)
    counts, outputs = None, "hp"
    if segments is not None:
        outputs += "s"
    if d.chance():
        counts = d.rng.integers(0, 5, batch).astype(np.int32)
        attrs |= {"state_update_capacity": d.whole(1, 4)}
        outputs = outputs.ljust(3, "-") + "u"
    return d.case([*first, starts, past, offsets, eos, segments, old, counts], outputs, attrs=attrs)
