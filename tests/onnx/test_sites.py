#!/usr/bin/env python3
"""Attention in the corpus of tiny transformers, as `heed explain --json` tells it.

Every case says in case.json how many attention computations its graph has; 38 have none. No case
may have more fused than it has, none may lose one that expected_sites.txt counts, and heads must
be those of case.json. `--update` writes higher counts into the list. What is said of one case is
judged in told.py."""

import collections
import json
import os
import subprocess
import sys

import corpora
import told as report

LIST = "expected_sites.txt"  # lines "CASE FUSED"

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


def judge_case(case, facts, told, expected):
    """Everything that is wrong with one case."""
    fused, sites = told["attention"]["fused"], facts["attention_sites"]
    yield from report.wrong_form(told)
    yield from report.wrong_heads(case, facts, told)
    yield from report.wrong_names(facts, told)
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
    expected, reached, reasons = read_list(), {}, collections.Counter()
    features = collections.Counter()
    failed = sites = tried = 0
    for case, folder, facts in corpora.transformers():
        told, error = explain(os.path.join(folder, "model.onnx"))
        wrong = judge_case(case, facts, told, expected.get(case, 0)) if told else [error]
        lines = ["FAILED %s: %s" % (case, line) for line in wrong]
        print("\n".join(lines), end="\n" if lines else "")
        failed += bool(lines)
        tried += 1
        sites += facts["attention_sites"]
        if told:
            reached[case] = told["attention"]["fused"]
            count_reasons(told, reasons)
            report.count_features(facts, told, features)
    for reason, count in reasons.most_common():
        print("%4d %s" % (count, reason))
    missing = ["%s: listed, but it is not there" % c for c in sorted(set(expected) - set(reached))]
    missing += report.wrong_features(features)
    for line in missing:
        print("FAILED " + line)
    total = sum(reached.values())
    print("fused: %d of %d sites, %.1f %%" % (total, sites, 100 * total / max(sites, 1)))
    more = {c: n for c, n in reached.items() if n > expected.get(c, 0)}
    if more and "--update" in sys.argv:
        corpora.write_list(LIST, ["%s %d" % item for item in {**expected, **more}.items()])
    elif more:
        print("%d cases fuse more than is listed: run this with --update" % len(more))
    failed += len(missing)
    print("%d passed, %d failed, 0 skipped" % (tried + len(missing) - failed, failed))
    sys.exit(1 if failed else 0)


main()
