#!/usr/bin/env python3
"""Is any test case slower on a chain of backends than on the reference alone?

    tests/bench/backends.py [DIR...] [--rounds N] [--chains cpu,reference] [--floor MS]

Runs `heed test` over the folders (the unpacked corpora of the build, unless told) in alternating
rounds, keeps each case's best time, and prints the ratio chain / reference: how it is distributed,
and the cases where it is worst. Cases below the floor are noise and are left out of the list."""

import argparse
import glob
import json
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.realpath(os.environ.get("HEED_SOURCE") or os.path.join(HERE, "..", ".."))
BUILD = os.path.realpath(os.environ.get("HEED_BUILD") or os.path.join(ROOT, "build"))


def times(folders, chain):
    """{case: milliseconds} of the cases that pass."""
    command = [os.path.join(BUILD, "heed"), "test", *folders, "--json", "--jobs", "1",
               "--backends", chain]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {row["case"]: row["ms"] for row in rows if row["status"] == "passed"}


def best(folders, chains, rounds):
    """{chain: {case: best milliseconds}}, from alternating rounds."""
    found = {chain: {} for chain in chains}
    for _ in range(rounds):
        for chain, kept in found.items():
            for case, ms in times(folders, chain).items():
                kept[case] = min(ms, kept.get(case, ms))
    return found


def show(chain, mine, reference, floor):
    both = [case for case in mine if case in reference]
    ratios = sorted((mine[case] / max(reference[case], 1e-6), case) for case in both)
    if not ratios:
        print("%s: no case passes on both" % chain)
        return
    at = lambda share: ratios[min(len(ratios) - 1, int(share * len(ratios)))][0]
    print("%s / reference, %d cases: total %.0f ms / %.0f ms, median %.2f, 99 %% %.2f" %
          (chain, len(both), sum(mine[case] for case in both),
           sum(reference[case] for case in both), at(0.5), at(0.99)))
    slow = [(ratio, case) for ratio, case in ratios if mine[case] >= floor and ratio > 2]
    print("slower than twice the reference, and above %g ms: %d" % (floor, len(slow)))
    for ratio, case in reversed(slow[-20:]):
        print("  %5.2f  %8.3f ms / %8.3f ms  %s" % (ratio, mine[case], reference[case], case))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chains", nargs="*", default=["cpu,reference"])
    parser.add_argument("--floor", type=float, default=0.05, help="milliseconds")
    args = parser.parse_args()
    folders = args.folders or glob.glob(os.path.join(BUILD, "data", "*"))
    found = best(folders, ["reference", *args.chains], args.rounds)
    for chain in args.chains:
        show(chain, found[chain], found["reference"], args.floor)


main()
