#!/usr/bin/env python3
"""Decoders of the corpus as their files have them: step by step what they give at once.

`past_steps` (tests/tools) finds each case's cache by structure, computes its sequences as a whole,
then in random steps that are forked and cut back, through the model's own past tensors, or from
the beginning each time where it has none. No result may differ. Which cases do is in
expected_pasts.txt with the form of their cache, a list that may only grow (`--update`)."""

import collections
import sys

import corpora

LIST = "expected_pasts.txt"
LEAST = 0.95
# Whole models in float32; 20 units of the last place of narrow types.
WORST = {"fp16": 20 / 2**11, "bf16": 20 / 2**8, "int4": 2e-2}


def run_case(folder, facts):
    """(the form of its cache or "", what is wrong)"""
    said, error = corpora.tool("past_steps", folder)
    words = said.split()
    if not words or words[0] not in ("same", "different"):
        return "", said or error
    if float(words[1]) > WORST.get(facts["dtype"], 1e-3):
        return "", "differs by " + words[1]
    return words[2], ""


def main():
    expected, reached, forms = set(corpora.read_list(LIST)), set(), collections.Counter()
    failed = tried = 0
    for case, folder, facts in corpora.decoders():
        form, wrong = run_case(folder, facts)
        tried += 1
        forms[form or "not right"] += 1
        if form:
            reached.add("%s %s" % (case, form))
        lost = [line for line in expected if line.split()[0] == case and line not in reached]
        if lost or wrong:
            word = "FAILED" if lost else "open"
            print("%s %s: %s" % (word, case, wrong or "its form is " + form))
        failed += bool(lost)
    for form, count in forms.most_common():
        print("%4d %s" % (count, form))
    print("caches: %d of %d cases (%.1f %%)" % (len(reached), tried, 100 * len(reached) / tried))
    failed += len(reached) < LEAST * tried
    corpora.grow(LIST, expected, reached)
    print("%d passed, %d failed, 0 skipped" % (tried - failed, failed))
    sys.exit(1 if failed else 0)


main()
