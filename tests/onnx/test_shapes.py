#!/usr/bin/env python3
"""Shape inference before any extent is known, against the outputs that the corpora give.

Every extent of every input is a symbol; what inference says of the outputs in terms of these
symbols is evaluated with the extents that the case has. It must never contradict the output. Where
it does not follow (an extent that depends on data), it is counted; `--list` says by which operator.
"""

import collections
import glob
import os
import re
import subprocess
import sys

import corpora

TOOL = os.path.join(corpora.BUILD, "tests", "symbolic_shapes")
CALLS = {
    "floor": lambda a, b: a // b,
    "ceil": lambda a, b: -(-a // b),
    "max": max,
    "min": min,
    "broadcast": lambda a, b: b if a == 1 else a,
}


def evaluate(text, extents):
    """A number, or None where the expression has a symbol that no input gives."""
    if re.search(r"[^\w\s()+\-*,]", text):
        return None
    try:
        return eval(text, {"__builtins__": {}}, {**CALLS, **extents})
    except (NameError, SyntaxError, ZeroDivisionError):
        return None


def verdict(row, extents):
    """"exact", "open" (some extent does not follow), "rank" (nor does the rank), or what is
    wrong."""
    dtype, dtype_there, inferred, there = row[2:6]
    if inferred == "rank?":
        return "rank"
    if dtype != dtype_there:
        return "wrong: inferred %s, the output is %s" % (dtype, dtype_there)
    symbols = inferred.rstrip(";").split(";") if inferred != "-" else []
    numbers = there.rstrip(";").split(";") if there != "-" else []
    if len(symbols) != len(numbers):
        return "wrong: inferred rank %d, the output has %d" % (len(symbols), len(numbers))
    open_ends = 0
    for symbol, number in zip(symbols, numbers):
        value = evaluate(symbol, extents)
        open_ends += value is None
        if value is not None and value != int(number):
            return "wrong: inferred %s, the output is %s" % (inferred, there)
    return "open" if open_ends else "exact"


def rows(folders):
    """(case, row, extents of the inputs) for every output."""
    for first in range(0, len(folders), 200):
        done = subprocess.run([TOOL, *folders[first:first + 200]], stdout=subprocess.PIPE,
                              text=True, errors="replace", check=True)
        for line in done.stdout.splitlines():
            row = line.split("\t")
            if row[0] == "case":
                case, extents = row[1], {}
            elif row[0] == "extent":
                extents[row[1]] = int(row[2])
            else:
                yield case, row, extents


def main():
    archives = sorted(glob.glob(os.path.join(corpora.SHARED, "onnx-node-tests", "*.tar.xz")))
    if not archives or not os.path.exists(TOOL):
        corpora.skip("the node tests or the test tools are not there")
    found = glob.glob(os.path.join(corpora.unpacked(archives[-1]), "**", "model.onnx"),
                      recursive=True)
    counts, by_operator, wrong = collections.Counter(), collections.Counter(), []
    for case, row, extents in rows(sorted(os.path.dirname(path) for path in found)):
        what = "error" if row[0] == "error" else verdict(row, extents)
        counts[what.split(":")[0]] += 1
        if what in ("open", "rank"):
            by_operator["%s %s%s" % (what, row[1], " (body)" if row[0] == "body" else "")] += 1
        if what.startswith("wrong"):
            wrong.append("%s: %s, %s" % (case, row[1], what))
    if "--list" in sys.argv:
        for operator, count in by_operator.most_common():
            print("%5d %s" % (count, operator))
    for line in wrong:
        print("FAILED " + line)
    print("outputs whose shape follows: %(exact)d, partly: %(open)d, not: %(rank)d, "
          "models that do not load: %(error)d" % collections.defaultdict(int, counts))
    print("%d passed, %d failed" % (sum(counts.values()) - len(wrong), len(wrong)))
    sys.exit(1 if wrong or not counts["exact"] else 0)


main()
