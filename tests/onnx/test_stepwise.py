#!/usr/bin/env python3
"""Decoders of the corpus through pages: step by step what they give at once.

`stepwise` (tests/tools) computes a case's sequences as a whole, then in random steps of random
sequences whose keys and values lie in pages of three tokens. No result may differ. Which cases get
pages is in expected_pages.txt, a list that may only grow (`--update`); for the others the reasons
are counted. So are the forms in which the files have their cache, and how many of them were seen
for what they are."""

import collections
import sys

import corpora

LIST = "expected_pages.txt"
# Whole models in float32, beside 1 + the number itself.
WORST = {"int4": 2e-2}
# Narrow types: units of the last place of the token's largest number. A logit near 0 is a sum of
# products as large as those of the others, and has their rounding. What PyTorch computes at once is
# 2 units from exact, and so is ONNX Runtime, and so may the steps be, on the other side.
UNITS, LAST = 8, {"fp16": 2.0**-11, "bf16": 2.0**-8}
LEAST = 0.95  # of forms recognised
SAME, DIFFERENT, NONE = "same", "different", "none"


def forms_of(features):
    """Which forms of a cache a case may have, by what it was made from."""
    if "past" not in features:
        return {"none"}
    if "ring-buffer" in features:
        return {"rolling"}
    return {"static"} if "static-cache" in features else {"concat", "buffer", "merged"}


def run_case(folder):
    """(the form of its cache, what became of it, its difference or the reason)"""
    said, error = corpora.tool("stepwise", folder)
    words = said.split(" ", 2)
    if len(words) < 3:
        return "unknown", "failed", error
    return words[0], words[1].rstrip(":"), words[2]


def judge(facts, kind, rest):
    worst, _, moved = rest.partition(" moved ")
    worst, _, of_largest = worst.partition(" of largest ")
    if kind in (SAME, DIFFERENT) and facts["dtype"] in LAST:
        worst = of_largest
        kind = SAME if float(worst) <= UNITS * LAST[facts["dtype"]] else DIFFERENT
    elif kind == DIFFERENT and float(worst) <= WORST.get(facts["dtype"], 1e-3):
        kind = SAME
    wrong = rest if kind == "failed" else "differs by " + worst if kind == DIFFERENT else ""
    if kind == SAME and moved != "0":
        wrong = "bits of %s elements move with how tokens are cut into steps" % moved
    return kind, wrong


def main():
    expected, reached, reasons = set(corpora.read_list(LIST)), set(), collections.Counter()
    forms, paged = collections.Counter(), collections.Counter()
    failed = tried = 0
    for case, folder, facts in corpora.decoders():
        form, kind, rest = run_case(folder)
        kind, wrong = judge(facts, kind, rest)
        tried += 1
        right = form in forms_of(facts["features"])
        forms[form if right else "not recognised"] += 1
        paged[form] += right and kind == SAME
        if not right:
            print("open %s: its cache was taken for %s" % (case, form))
        if kind == SAME:
            reached.add(case)
        elif kind == NONE:
            reasons[rest.split(", at ")[0]] += 1
        if wrong or (kind != SAME and case in expected):
            print("FAILED %s: %s" % (case, wrong or "it had pages, and has none"))
            failed += 1
    for reason, count in reasons.most_common():
        print("%4d %s" % (count, reason))
    for form, count in forms.most_common():
        print("%4d caches of form %s, %d in pages" % (count, form, paged[form]))
    print("pages: %d of %d cases" % (len(reached), tried))
    recognised = tried - forms["not recognised"]
    print("forms recognised: %d of %d (%.1f %%)" % (recognised, tried, 100 * recognised / tried))
    failed += recognised < LEAST * tried
    corpora.grow(LIST, expected, reached)
    print("%d passed, %d failed, 0 skipped" % (tried - failed, failed))
    sys.exit(1 if failed else 0)


main()
