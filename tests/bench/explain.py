#!/usr/bin/env python3
"""How long does `heed explain` take, and for how many models less than a limit?

    tests/bench/explain.py [DIR | MODEL...] [--limit MS] [--runs N] [--slowest N]

Explains every model (the unpacked corpus of the build, unless told) as a process of its own, and
takes the least processor time of the runs, so that what else the machine does tells little: loading
the program and its plugins is in it. Prints how many stay under the limit, the distribution and the
slowest. Ends with 1 when a model cannot be explained or takes longer than the limit."""

import argparse
import os
import resource
import subprocess
import sys

from models import BUILD, find_models


def processor_ms():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1e3


def explain(model, runs):
    """The least milliseconds of processor time, or None."""
    best = None
    for _ in range(runs):
        before = processor_ms()
        done = subprocess.run([os.path.join(BUILD, "heed"), "explain", model],
                              capture_output=True, check=False)
        if done.returncode:
            return None
        took = processor_ms() - before
        best = took if best is None else min(best, took)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("places", nargs="*")
    parser.add_argument("--limit", type=float, default=50, help="milliseconds")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--slowest", type=int, default=10, help="how many to print")
    args = parser.parse_args()
    models = list(find_models(args.places or [os.path.join(BUILD, "data", "corpus")]))
    took = {model: explain(model, args.runs) for model in models}
    for model in models:
        if took[model] is None:
            print("not explained: %s" % model)
    rows = sorted(((ms, model) for model, ms in took.items() if ms is not None), reverse=True)
    under = sum(ms < args.limit for ms, _ in rows)
    print("%d of %d models are explained in under %g ms of processor time" % (
        under, len(models), args.limit))
    if rows:
        print("median %.1f ms, 90 %% %.1f ms, most %.1f ms" % (
            rows[len(rows) // 2][0], rows[len(rows) // 10][0], rows[0][0]))
    for ms, model in rows[:args.slowest]:
        print("  %6.1f ms  %s" % (ms, model))
    sys.exit(0 if under == len(models) and models else 1)


main()
