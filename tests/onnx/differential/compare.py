"""Runs the folders with `heed test` and says what came out."""
import collections
import os
import re

import corpora

# (relative, absolute) tolerance of the cases with 16-bit outputs, and of all others: ONNX Runtime
# adds in float32, numbers of about 2.
TOLERANCE = {"full": ("1e-4", "3e-5"), "half": ("1e-2", "1e-2")}
SHOWN = 4
BACKENDS = {"default": (), "reference": ("--backends", "reference")}


def describe(made):
    parts = [f"{count} by {name}" for name, count in made.by.items() if count]
    parts += [f"{len(made.refused)} refused"] if made.refused else []
    parts += [f"{made.died} ended the process of ONNX Runtime"] if made.died else []
    return f"{made.op} of opset {made.opset}: " + ", ".join(parts)


def print_sum(made, seed):
    total = {name: sum(m.by[name] for m in made) for name in ("runtime", "reference", "text")}
    print(f"{sum(total.values())} cases of {len({m.op for m in made})} operators, seed {seed}: "
          f"expected outputs of {total['runtime']} by ONNX Runtime, "
          f"of {total['reference']} by the standard's evaluator ({sum(m.died for m in made)} of "
          f"them end the process of ONNX Runtime), of {total['text']} by the standard's text; "
          f"{sum(len(m.refused) for m in made)} more draws, refused by both, do not count")


def run(folder, command, wrong):
    """Exit code; prints failures, each with the command that makes it again."""
    passed = 0
    for kind, (rtol, atol) in TOLERANCE.items():
        for label, flags in BACKENDS.items():
            if not os.path.isdir(os.path.join(folder, kind)):
                continue
            rows = corpora.run(os.path.join(folder, kind), "--rtol", rtol, "--atol", atol, *flags)
            failed = [row for row in rows.values() if row["status"] != "passed"]
            passed += len(rows) - len(failed)
            wrong += [explain(row, label, command) for row in failed]
    print_failures(wrong)
    print(f"{passed} passed, {len(wrong)} failed, 0 skipped")
    return 1 if wrong else 0


def print_failures(wrong):
    """A few of each operator say what is wrong with it."""
    seen = collections.Counter()
    for line in wrong:
        op = re.split("[-: ]", line)[0]
        seen[op] += 1
        if seen[op] <= SHOWN:
            print("FAILED " + line)
    for op, count in seen.items():
        if count > SHOWN:
            print(f"FAILED {op}: {count - SHOWN} more")


def explain(row, label, command):
    op, opset, index = row["case"].split("-")
    return (f"{row['case']} ({label}): {row['reason']}\n"
            f"    {command} --only {op}:{int(index)} --opset {opset} --keep DIR")
