"""What attention means, in float64: written from the standard's text, not from heed's code."""
import numpy as np


def visible(shape, lengths=None, offsets=None, causal=False, left=-1, right=-1):
    """Which keys a query sees by position: [B, 1, Sq, Skv]."""
    batch, _, queries, keys = shape
    offsets = np.zeros(1, np.int64) if offsets is None else np.asarray(offsets).reshape(-1)
    at = offsets[:, None, None] + np.arange(queries)[None, :, None]
    key = np.arange(keys)[None, None, :]
    seen = np.ones((batch, queries, keys), bool)
    if causal:
        seen &= key <= at
    if left >= 0:
        seen &= key >= at - left
    if right >= 0:
        seen &= key <= at + right
    if lengths is not None:
        seen &= key < np.asarray(lengths).reshape(-1)[:, None, None]
    return seen[:, None]


def full_bias(bias, shape):
    """(allowed, added) of a bias that may have fewer keys than there are."""
    allowed, added = np.ones(shape, bool), np.zeros(shape)
    if bias is None:
        return allowed, added
    short = shape[-1] - bias.shape[-1]
    pad = [(0, 0)] * (bias.ndim - 1) + [(0, short)]
    if bias.dtype == bool:
        return np.broadcast_to(np.pad(bias, pad), shape), added
    wide = np.pad(bias.astype(np.float64), pad, constant_values=-np.inf)
    return allowed, np.broadcast_to(wide, shape)


def softmax(x, sinks=None):
    """Along the last axis; a sink is one more logit whose weight is dropped."""
    if sinks is not None:
        tall = np.broadcast_to(sinks.astype(np.float64)[None, :, None, None], x.shape[:3] + (1,))
        x = np.concatenate([x, tall], -1)
    if x.shape[-1] == 0:
        return x
    with np.errstate(invalid="ignore"):
        power = np.exp(x - x.max(-1, keepdims=True))
        weights = power / power.sum(-1, keepdims=True)
    return weights if sinks is None else weights[..., :-1]


def attention(q, k, v, bias=None, lengths=None, offsets=None, sinks=None, scale=None, softcap=0.0,
              causal=False, left=-1, right=-1, fill=-np.inf, empty="zero", factor=None,
              fill_first=False, mask=None, least=-np.inf, most=np.inf, fill_added=False,
              fill_zeroed=False):
    """(Y, the four stages of the scores) for q [B, Hq, Sq, D], k and v [B, Hkv, Skv, *]."""
    group = q.shape[1] // max(k.shape[1], 1)
    q, k, v = (x.astype(np.float64) for x in (q, k, v))
    k, v = np.repeat(k, group, 1), np.repeat(v, group, 1)
    scale = 1 / np.sqrt(max(q.shape[3], 1)) if scale is None else scale
    raw = scale * (q @ k.swapaxes(2, 3))
    capped = softcap * np.tanh(raw / softcap) if softcap > 0 else raw
    allowed, added = full_bias(bias, raw.shape)
    allowed = allowed if mask is None else allowed & mask
    allowed = allowed & visible(raw.shape, lengths, offsets, causal, left, right)
    scaled = np.clip(capped, least, most)
    scaled = scaled if factor is None else scaled * factor.astype(np.float64)
    hidden = fill
    if fill_zeroed and not np.isinf(fill):
        with np.errstate(invalid="ignore"):
            hidden = fill + 0 * scaled
    if fill_added and not np.isinf(fill):
        masked = scaled + np.where(allowed, added, added + fill if fill_first else fill)
    elif fill_first and not np.isinf(fill):
        masked = np.where(allowed, scaled, hidden) + added
    else:
        masked = np.where(allowed, scaled + added, hidden)
    weights = softmax(masked, sinks)
    if empty == "share":
        nothing = np.isneginf(masked.max(-1, keepdims=True, initial=-np.inf))
        weights = np.where(nothing, np.nan, weights)
    if empty == "zero" and np.isinf(fill):
        dead = ~np.any(allowed & (added > -np.inf), -1, keepdims=True)
        weights = np.where(dead, 0, weights)
    return weights @ v, (raw, capped, masked, weights)
