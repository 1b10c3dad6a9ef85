#!/usr/bin/env python3
"""Operators of com.microsoft against ONNX Runtime, on random cases (../onnx/contrib/README.md).

    test_contrib.py [OPERATOR | OPERATOR-INDEX | MODULE]... [--keep DIR] [--once]

Without names all operators are tested. `cases_norm` names the operators of that module. The cases
of one number are the same in every run. --keep leaves the cases in a folder; --once runs the
default backends only.
"""
import argparse
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "onnx"))

import corpora

try:
    import onnxruntime  # noqa: F401
    from contrib import generate
    from contrib.table import load
    from contrib.tolerances import TOLERANCES
except ImportError as error:
    corpora.skip("contrib cases are made by ONNX Runtime: %s" % error)

LEAST = 2000  # cases in all


def chosen(rows, names):
    """[(row, draws or None)] of what the command line names."""
    if not names:
        return [(row, None) for row in rows.values()]
    found = {}
    for name in names:
        op, _, index = name.partition("-")
        module = [r.op for r in rows.values() if r.draw.__module__ == "contrib." + name]
        if not module and op not in rows:
            sys.exit("there is no operator or module " + name)
        for one in module or [op]:
            found.setdefault(one, []).extend([int(index)] if index else [])
    return [(rows[op], indices or None) for op, indices in found.items()]


def make(wanted, folder):
    if any(indices for _, indices in wanted):
        return [generate.make_row(row, folder, indices) for row, indices in wanted]
    return generate.make_all([row for row, _ in wanted], folder)


def run(folder, flags):
    """{case: (status, reason)} over the folders of all tolerances."""
    results = {}
    for tolerance, options in TOLERANCES.items():
        part = os.path.join(folder, tolerance)
        if os.path.isdir(part):
            rows = corpora.run(part, *options, *flags)
            results.update((os.path.basename(case), (row["status"], row["reason"]))
                           for case, row in rows.items())
    return results


def judge(made, runs):
    """Prints each operator's counts and what failed; (passed, failed)."""
    passed = failed = 0
    for one in made:
        wrong = []
        for label, results in runs.items():
            for case in one.cases:
                status, reason = results.get(case, ("failed", "it did not run"))
                passed += status == "passed"
                if status != "passed":
                    wrong.append("FAILED %s (%s): %s" % (case, label, reason))
        failed += len(wrong)
        print("%s%s" % (one, ", %d FAILED" % len(wrong) if wrong else ""))
        for line in wrong[:10]:
            print("  " + line)
        if len(one.cases) < one.row.cases // 2 and len(one.refused) > len(one.cases):
            failed += 1
            print("  FAILED: too many draws are refused, such as %s-%03d: %s"
                  % (one.row.op, *one.refused[0]))
    return passed, failed


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--keep")
    parser.add_argument("--once", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or scratch
        os.makedirs(folder, exist_ok=True)
        made = make(chosen(load(args.names), args.names), folder)
        runs = {"default": run(folder, ())}
        if not args.once:
            runs["reference"] = run(folder, ("--backends", "reference"))
    passed, failed = judge(made, runs)
    count = sum(len(one.cases) for one in made)
    if not args.names and count < LEAST:
        failed += 1
        print("FAILED: %d cases, %d are wanted" % (count, LEAST))
    if failed and not args.names:
        print("one of them again: tests/peers/test_contrib.py OPERATOR-INDEX --keep DIR")
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return 1 if failed else 0


sys.exit(main())
