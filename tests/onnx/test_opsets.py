"""Every operator in every version that opsets 7 to 28 have had: models of the old opset against
ONNX Runtime, with the rows of the differential tests, which know the older forms.

    test_opsets.py [--seed N] [--count N] [--only OP] [--keep DIR] [--table]

A version is tried at its first opset and at its last. One without a case needs a reason in
differential/cover.py.
"""
import argparse
import os
import sys
import tempfile

import corpora

try:
    from differential import compare, cover, rows  # noqa: F401, rows fills the table
    from differential.generate import make_rows
    from differential.table import LAST_OPSET, ROWS, last_opset, versions
except ImportError as error:
    corpora.skip(f"{error}; the packages of tests/requirements.txt are needed")

FIRST_OPSET, COUNT = 7, 4


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep")
    parser.add_argument("--table", action="store_true")
    return parser.parse_args()


def spans(op):
    """[(version, its first opset, its last)], as far as opsets 7 to 28 have them."""
    since = versions()[op]
    ends = [v - 1 for v in since[1:]] + [LAST_OPSET]
    return [(v, max(v, FIRST_OPSET), min(end, last_opset(op))) for v, end in zip(since, ends)
            if end >= FIRST_OPSET and v <= last_opset(op)]


def without_case(op, made):
    """[(operator, version, why)] of the versions that `made` has no case of."""
    found = []
    for version, first, last in spans(op):
        tried = [m for m in made if m.op == op and first <= m.opset <= last]
        if not any(m.count() for m in tried):
            refused = [reason for m in tried for _, reason in m.refused]
            found.append((op, version, refused[0] if refused else "no row"))
    return found


def main():
    options = read_options()
    if not os.path.exists(corpora.HEED):
        corpora.skip("there is no heed in the build folder")
    ops = [options.only] if options.only else sorted(versions())
    jobs = [(op, sorted({opset for _, *edges in spans(op) for opset in edges}))
            for op in ops if op in ROWS]
    with tempfile.TemporaryDirectory() as folder:
        made = make_rows(jobs, options.seed, options.count, options.keep or folder)
        bare = [line for op in ops for line in without_case(op, made)]
        if options.table:
            print("\n".join(compare.describe(m) for m in made))
        wrong = [f"{op}: version {version} has neither a case nor a reason: {reason}"
                 for op, version, reason in bare if not cover.reason_of(op, version)]
        compare.print_sum(made, options.seed)
        command = f"python3 tests/onnx/test_differential.py --seed {options.seed}"
        return compare.run(options.keep or folder, command, wrong)


if __name__ == "__main__":
    sys.exit(main())
