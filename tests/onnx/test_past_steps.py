#!/usr/bin/env python3
"""Decoders of the corpus as their files have them: step by step what they give at once.

`past_steps` (tests/tools) finds each case's cache by structure, computes its sequences as a whole,
then in random steps that are forked and cut back, through the model's own past tensors, or from
the beginning each time where it has none. No result may differ. Which cases do is in
expected_pasts.txt with the form of their cache, a list that may only grow (`--update`)."""

import collections
import glob
import json
import os
import subprocess
import sys

import corpora

LIST = "expected_pasts.txt"
LEAST = 0.95
# Whole models in float32; 20 units of the last place of narrow types.
WORST = {"fp16": 20 / 2**11, "bf16": 20 / 2**8, "int4": 2e-2}


def reads_earlier_tokens(facts):
    return "causal" in facts["features"] or "past" in facts["features"]


def run_case(folder, facts):
    """(the form of its cache or "", what is wrong)"""
    done = subprocess.run([os.path.join(corpora.BUILD, "tests", "past_steps"), folder],
                          capture_output=True, text=True, check=False)
    words = done.stdout.split()
    if not words or words[0] not in ("same", "different"):
        return "", done.stdout.strip() or done.stderr.strip()
    if float(words[1]) > WORST.get(facts["dtype"], 1e-3):
        return "", "differs by " + words[1]
    return words[2], ""


def main():
    archive = os.path.join(corpora.SHARED, "models", "corpus.tar.xz")
    if not os.path.exists(archive):
        corpora.skip("the corpus is not there: ../shared/models/corpus.tar.xz")
    folder = corpora.unpacked(archive)
    expected, reached, forms = set(corpora.read_list(LIST)), set(), collections.Counter()
    failed = tried = 0
    for path in sorted(glob.glob(os.path.join(folder, "*", "*", "case.json"))):
        with open(path, encoding="utf-8") as file:
            facts = json.load(file)
        if not reads_earlier_tokens(facts):
            continue
        case = os.path.relpath(os.path.dirname(path), folder)
        form, wrong = run_case(os.path.dirname(path), facts)
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
    if reached - expected and "--update" in sys.argv:
        corpora.write_list(LIST, sorted(expected | reached))
    elif reached - expected:
        print("%d cases are right and not listed: run this with --update"
              % len(reached - expected))
    print("%d passed, %d failed, 0 skipped" % (tried - failed, failed))
    sys.exit(1 if failed else 0)


main()
