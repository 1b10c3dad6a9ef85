"""Random cases of every operator of ai.onnx against ONNX Runtime and the standard's evaluator.

    test_differential.py [--seed N] [--count N] [--only OP[:INDEX]] [--opset N] [--keep DIR]
                         [--table]

Each operator has a row in differential/rows_*.py. Every case runs on the default backends and on
the reference alone. `--only` makes one row or one case, `--keep` leaves the folders there.
"""
import argparse
import os
import sys
import tempfile

import corpora

try:
    from differential import compare, cover, rows  # noqa: F401, rows fills the table
    from differential.generate import make_row, make_rows
    from differential.table import ROWS, last_opset
except ImportError as error:
    corpora.skip(f"{error}; the packages of tests/requirements.txt are needed")

COUNT = 22


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--only", default="")
    parser.add_argument("--opset", type=int, default=0)
    parser.add_argument("--keep")
    parser.add_argument("--table", action="store_true")
    return parser.parse_args()


def make(options, folder):
    op, _, index = options.only.partition(":")
    if index:
        return make_row(op, [opset_of(op, options)], options.seed, 1, folder, int(index))
    jobs = [(name, [opset_of(name, options)]) for name in ([op] if op else sorted(ROWS))]
    return make_rows(jobs, options.seed, options.count, folder)


def opset_of(op, options):
    return options.opset or last_opset(op)


def main():
    options = read_options()
    if not os.path.exists(corpora.HEED):
        corpora.skip("there is no heed in the build folder")
    with tempfile.TemporaryDirectory() as folder:
        made = make(options, options.keep or folder)
        wrong = [] if options.only else cover.missing_rows()
        wrong += [f"{m.op}: only {m.count()} of {options.count} cases: {m.refused[0][1]}"
                  for m in made if not options.only and m.count() < options.count]
        if options.table:
            print("\n".join(compare.describe(m) for m in made))
        compare.print_sum(made, options.seed)
        command = f"python3 tests/onnx/test_differential.py --seed {options.seed}"
        return compare.run(options.keep or folder, command, wrong)


if __name__ == "__main__":
    sys.exit(main())
