"""What `heed explain --json` says of a model of the corpus: its form, heads against case.json,
and how many sites show what case.json says of them."""

import numbers

TEXT, FLAG, COUNT, LIST = str, bool, int, list
SIZE = (int, type(None))  # null: no number before the inputs are there

FORM = {"model": TEXT, "version": TEXT, "nodes_before": COUNT, "nodes_after": COUNT,
        "attention": dict, "caches": LIST, "fusions": dict, "placement": dict, "passes": dict}
ATTENTION = {"sites": COUNT, "fused": COUNT, "list": LIST}
SITE = {"node": TEXT, "fused": FLAG, "attention": FLAG}
FUSED = {"operator": TEXT, "decomposed": FLAG, "backend": TEXT, "q_heads": SIZE, "k_heads": SIZE,
         "v_heads": SIZE, "head_dim": SIZE, "v_head_dim": SIZE, "features": LIST, "nodes": LIST,
         "mask": TEXT}
REFUSED = {"reason": TEXT, "at": TEXT, "at_operator": TEXT, "help": TEXT}
CACHE = {"form": TEXT, "layer": COUNT, "past_key": TEXT, "present_key": TEXT, "paged": FLAG,
         "reason": TEXT}

OPERATORS = {"heed.Attention", "heed.AdditiveAttention", "heed.FlashAttention",
             "heed.GroupedQueryAttention", "heed.MultiHeadAttention", "heed.PagedAttention"}

# case.json has one number of heads and one of channels. Where the sites of an architecture have
# others: all of them as (q_heads, k_heads, v_heads, head_dim, v_head_dim), and why.
HEADS = {
    "collaborative": ({(4, 1, 4, 24, 8)}, "one key head, shared by heads that have own values"),
    "conditional-detr": ({(4, 4, 4, 8, 8), (4, 4, 4, 16, 8)},
                         "content and position side by side: twice the channels"),
    "diffllama": ({(4, 2, 1, 8, 16), (4, 2, 2, 8, 16)},
                  "values of two heads side by side, the same for all queries"),
    "differential": ({(4, 4, 2, 8, 16)}, "a value head for the two heads that are subtracted"),
    "differential": ({(4, 4, 2, 8, 16)}, "two softmaxes share the values that they weigh"),
    "falcon-gqa": ({(4, 4, 2, 8, 8), (4, 2, 2, 8, 8)},
                   "keys are repeated before their rotary embedding"),
    "hiera": ({(1, 1, 1, 16, 16), (2, 2, 2, 16, 16)}, "more heads in the second stage"),
    "mla-absorbed": ({(4, 1, 1, 12, 8)}, "one latent for all heads: keys and values are its parts"),
    "sam-mask-decoder": ({(4, 4, 4, 8, 8), (4, 4, 4, 4, 4)},
                         "half the channels in cross-attention"),
    "swin": ({(2, 2, 2, 8, 8), (4, 4, 4, 8, 8)}, "more heads in the second stage"),
    "timm-davit": ({(2, 2, 2, 8, 8), (4, 4, 4, 8, 8)}, "more heads in the second stage"),
    "timm-levit": ({(2, 2, 2, 8, 16), (2, 2, 2, 8, 32), (4, 4, 4, 8, 16)},
                   "keys have half the channels of values"),
    "timm-swin": ({(1, 1, 1, 16, 16), (2, 2, 2, 16, 16)}, "more heads in the second stage"),
    "timm-swinv2": ({(1, 1, 1, 16, 16), (2, 2, 2, 16, 16)}, "more heads in the second stage"),
}

# Cases whose numbers nobody knows before the inputs are there: lengths come from divisions of
# numbers that may be negative.
NO_NUMBERS = ("encoders/speech_to_text-encoder__dynamo", "encoders/wav2vec2__dynamo")

# What case.json says, what the report calls it, and of how many sites it does at least.
FEATURES = (
    ("additive", "additive", 2),
    ("alibi", "alibi", 29),
    ("block-diagonal", "block-diagonal", 2),
    ("causal", "causal", 464),
    ("channel-attention", "over-channels", 4),
    ("cross-covariance", "over-channels", 2),
    ("collaborative", "k-v-heads-differ", 2),
    ("mla", "v-head-dim-differs", 18),
    ("nan-guard", "guard", 2),
    ("padding-mask", "padding", 550),
    ("past", "offset", 110),
    ("prefix-lm", "prefix-lm", 2),
    ("probabilities-are-output", "weights-are-read", 4),
    ("relative-bias", "bias", 106),
    ("relative-bias", "relative-position-bias", 60),
    ("scores-clamp", "bounded", 2),
    ("shifted-window-mask", "block-diagonal", 8),
    ("sinks", "sinks", 10),
    ("softcap", "softcap", 15),
    ("window", "window", 51),
)


def wrong_fields(what, have, fields, more=False):
    for name, kind in fields.items():
        if name not in have:
            yield "%s has no \"%s\"" % (what, name)
        elif not isinstance(have[name], kind) or (kind is COUNT and isinstance(have[name], bool)):
            yield "%s: \"%s\" is %r" % (what, name, have[name])
    for name in have if not more else ():
        if name not in fields:
            yield "%s: nobody knows of \"%s\"" % (what, name)


def wrong_site(site):
    fields = {**SITE, **(FUSED if site.get("fused") else REFUSED)}
    yield from wrong_fields("a site", site, fields)
    if not site.get("fused"):
        if not (site.get("reason") and site.get("at_operator")):
            yield "%s: not fused, and no reason" % site.get("node")
        return
    if site.get("operator") not in OPERATORS or not site.get("nodes") or not site["attention"]:
        yield "%s: fused, but into what, and what from?" % site.get("node")
    if not all(isinstance(x, str) for x in site.get("features", []) + site.get("nodes", [])):
        yield "%s: features and nodes are names" % site.get("node")


def wrong_counts(counts, what):
    for name, value in counts.items():
        if not isinstance(value, numbers.Integral) or value < 0:
            yield "%s: \"%s\" is no count" % (what, name)


def wrong_form(told):
    """What contradicts the contract of `heed explain --json`."""
    wrong = [*wrong_fields("the report", told, FORM),
             *wrong_fields("attention", told.get("attention", {}), ATTENTION)]
    yield from wrong
    if wrong:
        return
    listed = told["attention"]["list"]
    for site in listed:
        yield from wrong_site(site)
    for cache in told["caches"]:
        yield from wrong_fields("a cache", cache, CACHE, more=True)
    for name in ("fusions", "placement", "passes"):
        yield from wrong_counts(told[name], name)
    if sum(told["placement"].values()) != told["nodes_after"]:
        yield "the nodes that are placed are not all nodes"
    if told["attention"]["sites"] != sum(site["attention"] for site in listed) or \
            told["attention"]["fused"] != sum(site["fused"] for site in listed):
        yield "the counts are not those of the list"


def numbers_of(site):
    return tuple(site[name] for name in ("q_heads", "k_heads", "v_heads", "head_dim",
                                         "v_head_dim"))


def wrong_heads(case, facts, told):
    """Heads and channels that are not those of case.json, or of the table."""
    fused = [site for site in told["attention"]["list"] if site["fused"]]
    arch = case.split("/")[1].split("__")[0]
    heads, keys, dim = (facts.get(name) for name in ("q_heads", "kv_heads", "head_dim"))
    if not isinstance(heads, int) or case.startswith(NO_NUMBERS):
        return
    keys = heads if keys is None else keys
    for site in fused:
        have = numbers_of(site)
        if arch in HEADS:
            if have not in HEADS[arch][0]:
                yield "%s: %s are none of its heads" % (site["node"], have)
        elif have[:3] != (heads, keys, keys) or dim not in (None, have[3]) or have[4] is None:
            yield "%s: %s are not the heads of case.json: %s" % (site["node"], have,
                                                                 (heads, keys, dim))
        shared = [name for name in ("gqa", "mqa") if name in site["features"]]
        if have[1] == have[2] and None not in have and \
                shared != (["mqa" if have[1] == 1 else "gqa"] if have[1] < have[0] else []):
            yield "%s: %s, but %s heads" % (site["node"], shared or "nothing shared", have[:3])


# What is told nowhere but where case.json says it: a proof of something else would be one too many.
ONLY = {"alibi": "alibi", "prefix-lm": "prefix-lm", "relative-position-bias": "relative-bias",
        "softcap": "softcap", "window": "window"}


def wrong_names(facts, told):
    for site in told["attention"]["list"]:
        for name in site["features"] if site["fused"] else ():
            if name in ONLY and ONLY[name] not in facts["features"]:
                yield "%s: told \"%s\", which the case is not" % (site["node"], name)


def count_features(facts, told, counts):
    for site in told["attention"]["list"]:
        for said, name, _ in FEATURES if site["fused"] else ():
            counts[said, name] += said in facts["features"] and name in site["features"]


def wrong_features(counts):
    for said, name, least in FEATURES:
        if counts[said, name] < least:
            yield "%d sites of \"%s\" are told \"%s\", %d were expected" % (counts[said, name],
                                                                          said, name, least)
