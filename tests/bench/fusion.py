#!/usr/bin/env python3
"""Is any model slower, or does it need more memory, with fusions than without?

    tests/bench/fusion.py [DIR | MODEL...] [--rounds N] [--again N] [--attention] [--flags "..."]

Measures every model (the unpacked corpus of the build, unless told) with `heed bench --fusion
on,off`, whose configurations take turns. A model counts as slower when the whole 95 % interval of
the ratio on / off lies above 1 by more than the margin; such models are measured again with more
rounds, and only those that are slower each time are printed. Memory is exact, so that any surplus
counts. Ends with 1 when there is any."""

import argparse
import glob
import json
import os
import shlex
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.realpath(os.environ.get("HEED_SOURCE") or os.path.join(HERE, "..", ".."))
BUILD = os.path.realpath(os.environ.get("HEED_BUILD") or os.path.join(ROOT, "build"))


def find_models(places):
    for place in places:
        if os.path.isdir(place):
            yield from sorted(glob.glob(os.path.join(place, "**", "*.onnx"), recursive=True))
        else:
            yield place


def inputs_of(model):
    """The stored inputs beside a model, so that a guess need not fit."""
    stored = sorted(glob.glob(os.path.join(os.path.dirname(model), "test_data_set_*")))
    return ["@" + stored[0]] if stored else []


def measure(model, rounds, args):
    """The cells with and without fusions, or None with the reason."""
    command = [os.path.join(BUILD, "heed"), "bench", model, *inputs_of(model), "--json",
               *args.choice, "--rounds", str(rounds), *shlex.split(args.flags)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or ["exit %d" % done.returncode])[-1]
    cells = json.loads(done.stdout)["cells"]
    return {"plain": cells[0], "fused": cells[1]}, ""


def is_slower(cells, margin):
    return cells["fused"]["ratio"]["low"] > 1 + margin


def sift(models, args):
    """Rows of models, and those that were slower each time they were measured."""
    rows, slower = [], []
    for i, model in enumerate(models):
        cells, why = measure(model, args.rounds, args)
        if not cells:
            print("not measured: %s: %s" % (model, why))
            continue
        rounds, left = args.rounds, args.again
        while left and is_slower(cells, args.margin):
            rounds, left = rounds * 2, left - 1
            cells = measure(model, rounds, args)[0] or cells
        rows.append((model, cells))
        if is_slower(cells, args.margin):
            slower.append((model, cells))
        if sys.stderr.isatty():
            print("\r%d of %d" % (i + 1, len(models)), end="", file=sys.stderr)
    return rows, slower


def show_slower(slower):
    print("slower with fusions: %d" % len(slower))
    for model, cells in sorted(slower, key=lambda row: -row[1]["fused"]["ratio"]["low"]):
        ratio = cells["fused"]["ratio"]
        print("  %.3f (%.3f to %.3f)  %8.3f ms / %8.3f ms  %s" % (
            ratio["median"], ratio["low"], ratio["high"], cells["fused"]["time_ms"]["median"],
            cells["plain"]["time_ms"]["median"], model))


def show_larger(rows):
    larger = [(cells["fused"]["memory_bytes"] - cells["plain"]["memory_bytes"], cells, model)
              for model, cells in rows
              if cells["fused"]["memory_bytes"] > cells["plain"]["memory_bytes"]]
    print("higher peak memory with fusions: %d" % len(larger))
    for more, cells, model in sorted(larger, key=lambda row: -row[0]):
        print("  %10d more than %10d bytes  %s" % (more, cells["plain"]["memory_bytes"], model))
    return larger


def show_all(rows):
    ratios = sorted(cells["fused"]["ratio"]["median"] for _, cells in rows)
    if ratios:
        at = lambda share: ratios[min(len(ratios) - 1, int(share * len(ratios)))]
        print("%d models: time with / without fusions: least %.3f, median %.3f, 90 %% %.3f, "
              "most %.3f" % (len(ratios), ratios[0], at(0.5), at(0.9), ratios[-1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("places", nargs="*")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--again", type=int, default=3, help="repeats, each with twice the rounds")
    parser.add_argument("--margin", type=float, default=0.02, help="of a ratio, taken as equal")
    parser.add_argument("--attention", action="store_true",
                        help="auto against off attention alone, not all fusions")
    parser.add_argument("--flags", default="--threads 1", help="more flags of heed bench")
    args = parser.parse_args()
    args.choice = ["--attention", "off,auto"] if args.attention else ["--fusion", "off,on"]
    places = args.places or [os.path.join(BUILD, "data", "corpus")]
    rows, slower = sift(list(find_models(places)), args)
    show_all(rows)
    show_slower(slower)
    sys.exit(1 if show_larger(rows) or slower else 0)


main()
