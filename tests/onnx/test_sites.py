#!/usr/bin/env python3
"""Attention in the corpus of tiny transformers, as `heed explain --json` tells it.

Every case says in case.json how many attention computations its graph has; 38 have none. No case
may have more fused than it has, none may lose one that expected_sites.txt counts, and heads must
be those of case.json. `--update` writes higher counts into the list."""

import collections
import glob
import json
import os
import subprocess
import sys

import corpora

LIST = "expected_sites.txt"  # lines "CASE FUSED"

# Architectures whose sites have other heads than the one number of case.json, and why.
OTHER_HEADS = {
    "conditional-detr": "content and position side by side: twice the channels",
    "cu-seqlens-sdpa": "packed sequences, one head at a time",
    "diffllama": "differential attention: two softmaxes of half the heads",
    "heads-split-concat-batch": "one head at a time",
    "hiera": "more heads in later stages",
    "nonlocal-gaussian": "positions of an image in two axes",
    "sam-mask-decoder": "half the channels in cross-attention",
    "sam-vision": "windows and heads in one axis",
    "swin": "more heads in later stages",
    "tf-heads-split-concat": "one head at a time",
    "timm-davit": "attention over channels, too, and more heads in later stages",
    "timm-levit": "keys have half the channels of values",
    "timm-swin": "more heads in later stages",
    "timm-swinv2": "more heads in later stages",
}


def read_list():
    """{case: fused}"""
    pairs = (line.rsplit(" ", 1) for line in corpora.read_list(LIST))
    return {case: int(fused) for case, fused in pairs}


def explain(path):
    done = subprocess.run([corpora.HEED, "explain", path, "--json"], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        return None, done.stderr.strip()
    return json.loads(done.stdout), ""


def wrong_form(told):
    """What contradicts the contract of `heed explain --json`."""
    attention = told["attention"]
    sites = [s for s in attention["list"] if s.get("attention", True)]
    fused = [s for s in attention["list"] if s["fused"]]
    if attention["sites"] != len(sites) or attention["fused"] != len(fused):
        yield "the counts are not those of the list"
    for site in attention["list"]:
        if site["fused"] and not (site["operator"].startswith("heed.") and site["nodes"]
                                  and site in sites):
            yield "%s: fused, but into what, and what from?" % site["node"]
        if not site["fused"] and not (site["reason"] and site["at"]):
            yield "%s: not fused, and no reason" % site["node"]


def wrong_heads(case, facts, told):
    if case.split("/")[1].split("__")[0] in OTHER_HEADS:
        return
    for site in told["attention"]["list"]:
        for key in ("q_heads", "head_dim") if site["fused"] else ():
            if site[key] is not None and facts.get(key) not in (None, site[key]):
                yield "%s: %s is %d, not %d" % (site["node"], key, site[key], facts[key])


def judge_case(case, facts, told, expected):
    """Everything that is wrong with one case."""
    fused, sites = told["attention"]["fused"], facts["attention_sites"]
    yield from wrong_form(told)
    yield from wrong_heads(case, facts, told)
    if fused > sites:
        yield "%d fused of %d: something is fused that is no attention" % (fused, sites)
    if fused < expected:
        yield "%d fused, %d were expected" % (fused, expected)


def count_reasons(told, reasons):
    for site in told["attention"]["list"]:
        if not site["fused"]:
            kind = "attention" if site["attention"] else "other softmax"
            reasons["%s: %s (%s)" % (kind, site["reason"], site["at_operator"])] += 1


def main():
    archive = os.path.join(corpora.SHARED, "models", "corpus.tar.xz")
    if not os.path.exists(archive):
        corpora.skip("the corpus is not there: ../shared/models/corpus.tar.xz")
    folder = corpora.unpacked(archive)
    expected, reached, reasons = read_list(), {}, collections.Counter()
    failed = sites = 0
    cases = sorted(glob.glob(os.path.join(folder, "*", "*", "case.json")))
    for path in cases:
        case = os.path.relpath(os.path.dirname(path), folder)
        with open(path, encoding="utf-8") as file:
            facts = json.load(file)
        told, error = explain(os.path.join(os.path.dirname(path), "model.onnx"))
        wrong = judge_case(case, facts, told, expected.get(case, 0)) if told else [error]
        lines = ["FAILED %s: %s" % (case, line) for line in wrong]
        print("\n".join(lines), end="\n" if lines else "")
        failed += bool(lines)
        sites += facts["attention_sites"]
        if told:
            reached[case] = told["attention"]["fused"]
            count_reasons(told, reasons)
    for reason, count in reasons.most_common():
        print("%4d %s" % (count, reason))
    missing = set(expected) - set(reached)
    for case in sorted(missing):
        print("FAILED %s: listed, but it is not there" % case)
    total = sum(reached.values())
    print("fused: %d of %d sites, %.1f %%" % (total, sites, 100 * total / max(sites, 1)))
    more = {c: n for c, n in reached.items() if n > expected.get(c, 0)}
    if more and "--update" in sys.argv:
        corpora.write_list(LIST, ["%s %d" % item for item in {**expected, **more}.items()])
    elif more:
        print("%d cases fuse more than is listed: run this with --update" % len(more))
    failed += len(missing)
    print("%d passed, %d failed, 0 skipped" % (len(cases) + len(missing) - failed, failed))
    sys.exit(1 if failed else 0)


main()
