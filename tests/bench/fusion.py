#!/usr/bin/env python3
"""Is any model slower, or does it need more memory, with fusions than without?

    tests/bench/fusion.py [DIR | MODEL...] [--attention] [--each] [--save FILE] [--flags "..."]

Measures every model (the unpacked corpus of the build, unless told) with `heed bench --fusion
off,on`, whose configurations take turns in one process. A model counts as slower when the whole
95 % interval of the ratio on / off lies above 1; such models are measured again with twice the
rounds, and only those that are slower each time are printed, with the ratio's interval. Memory is
exact, so that any surplus counts. Ends with 1 when there is any. `--attention` compares the
attention mode auto with off, all other fusions being on in both; `--each` tells instead which
rewrite costs: those that a model is faster without. `--save` keeps what was measured in a file of
JSON lines, and what that has already is not measured again: a run that was cut short goes on."""

import argparse
import glob
import json
import math
import os
import shlex
import subprocess
import sys

from models import BUILD, find_models

CHOICES = {"fusion": ["--fusion", "off,on"], "attention": ["--attention", "off,auto"],
           "each": ["--fusion", "on,each"]}


def inputs_of(model):
    """The stored inputs beside a model, so that a guess need not fit."""
    stored = sorted(glob.glob(os.path.join(os.path.dirname(model), "test_data_set_*")))
    return ["@" + stored[0]] if stored else []


def measure(model, rounds, args):
    """The cells of one bench, the first being what the others are compared with, or the reason."""
    command = [os.path.join(BUILD, "heed"), "bench", model, *inputs_of(model), "--json",
               *CHOICES[args.compare], "--rounds", str(rounds), *shlex.split(args.flags)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or ["exit %d" % done.returncode])[-1]
    cells = json.loads(done.stdout)["cells"]
    for cell in cells:
        del cell["samples_ms"], cell["round_medians_ms"]
    return cells, ""


def is_slower(cells, args):
    """Whether some cell says so: fused is slower than plain, or a rewrite costs."""
    return any(costs(cell, args) for cell in cells[1:])


def costs(cell, args):
    ratio = cell["ratio"]
    return ratio["high"] < 1 - args.margin if args.compare == "each" else \
        ratio["low"] > 1 + args.margin


def sift(model, args):
    """One row: the cells of the last measurement, made until one says that nothing is slower."""
    rounds = args.rounds
    cells, why = measure(model, rounds, args)
    for _ in range(args.again):
        if not cells or not is_slower(cells, args):
            break
        rounds *= 2
        cells, why = measure(model, rounds, args)
    return {"model": model, "compare": args.compare, "flags": args.flags, "cells": cells,
            "why": why}


def measured_before(args):
    """The rows of the file that --save names, of the same question only."""
    if not args.save or not os.path.exists(args.save):
        return {}
    with open(args.save, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.endswith("\n")]
    return {row["model"]: row for row in rows
            if (row["compare"], row["flags"]) == (args.compare, args.flags)}


def measure_all(models, args):
    before, rows = measured_before(args), []
    for i, model in enumerate(models):
        row = before.get(model) or sift(model, args)
        rows.append(row)
        if args.save and model not in before:
            with open(args.save, "a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        if sys.stderr.isatty():
            print("\r%d of %d" % (i + 1, len(models)), end="", file=sys.stderr)
    for row in rows:
        if not row["cells"]:
            print("not measured: %s: %s" % (row["model"], row["why"]))
    return [row for row in rows if row["cells"]]


# ---- What is printed ----------------------------------------------------------------------------

def show_ratios(title, found):
    """Lines of (ratio, time, time of what it is compared with, name), the worst first."""
    print("%s: %d" % (title, len(found)))
    for ratio, cell, base, name in found:
        print("  %.3f (%.3f to %.3f)  %9.4f ms / %9.4f ms  %s" % (
            ratio["median"], ratio["low"], ratio["high"], cell["time_ms"]["median"],
            base["time_ms"]["median"], name))
    return found


def show_slower(rows, args):
    found = [(cell["ratio"], cell, row["cells"][0], row["model"])
             for row in rows for cell in row["cells"][1:] if costs(cell, args)]
    return show_ratios("slower with fusions", sorted(found, key=lambda f: -f[0]["low"]))


def show_costly(rows, args):
    found = [(cell["ratio"], cell, row["cells"][0], "%s  %s" % (cell["configuration"],
                                                                row["model"]))
             for row in rows for cell in row["cells"][1:] if costs(cell, args)]
    return show_ratios("rewrites that cost: faster without",
                       sorted(found, key=lambda f: f[0]["high"]))


def show_larger(rows):
    pairs = [(row["cells"][1]["memory_bytes"], row["cells"][0]["memory_bytes"], row["model"])
             for row in rows]
    larger = sorted((pair for pair in pairs if pair[0] > pair[1]), key=lambda p: p[1] - p[0])
    print("higher peak memory with fusions: %d" % len(larger))
    for fused, plain, model in larger:
        print("  %10d more than %10d bytes  %s" % (fused - plain, plain, model))
    return larger


def show_all(rows):
    ratios = sorted(row["cells"][1]["ratio"]["median"] for row in rows)
    if not ratios:
        return
    n, faster = len(ratios), sum(row["cells"][1]["ratio"]["high"] < 1 for row in rows)
    at = lambda share: ratios[min(n - 1, int(share * n))]
    print("%d models: time with / without fusions: geometric mean %.3f; least %.3f, 10 %% %.3f, "
          "median %.3f, 90 %% %.3f, most %.3f" % (
              n, math.exp(sum(map(math.log, ratios)) / n), ratios[0], at(0.1), at(0.5), at(0.9),
              ratios[-1]))
    print("faster: %d (%.0f %%), whole interval below 1: %d (%.0f %%)" % (
        sum(r < 1 for r in ratios), 100 * sum(r < 1 for r in ratios) / n, faster,
        100 * faster / n))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("places", nargs="*")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--again", type=int, default=3, help="repeats, each with twice the rounds")
    parser.add_argument("--margin", type=float, default=0, help="of a ratio, taken as equal")
    parser.add_argument("--attention", dest="compare", action="store_const", const="attention",
                        default="fusion", help="auto against off attention, not all fusions")
    parser.add_argument("--each", dest="compare", action="store_const", const="each",
                        help="which rewrites a model is faster without")
    parser.add_argument("--save", metavar="FILE", help="keep and reuse what was measured")
    parser.add_argument("--flags", default="", help="more flags of heed bench")
    args = parser.parse_args()
    places = args.places or [os.path.join(BUILD, "data", "corpus")]
    rows = measure_all(list(find_models(places)), args)
    if args.compare == "each":
        sys.exit(1 if show_costly(rows, args) else 0)
    show_all(rows)
    slower = show_slower(rows, args)
    sys.exit(1 if show_larger(rows) or slower else 0)


main()
