#!/usr/bin/env python3
"""Attention spelled at random: every spelling is recognised and right, and what only looks like it
is left alone or right.

    test_spellings.py [--seed N] [--count N] [--jobs N]
    test_spellings.py [--seed N] --only same|changed:INDEX [--keep DIR] [--plain NAME]...
                      [--fix NAME=OPTION]...

Half of the cases are attention in another spelling, half are changed so that they mean something
else. Each is evaluated in float64 while it is drawn; what is attention also by its formula. heed
runs all with --attention off and with every way of fusing.

A failing case is drawn again with fewer of its choices for as long as it still fails; the choices
that are left are printed, with the command that makes the case.
"""
import argparse
import collections
import concurrent.futures
import os
import sys
import tempfile

import judge as judging

try:
    import numpy as np

    from spell import Spelling
except ImportError as error:
    judging.corpora.skip(f"{error}; the packages of tests/requirements.txt are needed")

COUNT = 400
MODES = (("--attention", "off"), ("--attention", "auto"), ("--attention", "flash"),
         ("--attention", "mha"), ("--attention", "gqa"),
         ("--attention", "auto", "--backends", "reference"))
BATCH = 250
SHOWN = 12


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep")
    parser.add_argument("--fix", action="append", default=[])
    parser.add_argument("--plain", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


def draw(seed, kind, index, plain=(), fixed=None):
    """The spelling, and what is wrong with the formula or None."""
    spelling = Spelling(seed, index, kind == "changed", plain, fixed)
    meaning = spelling.meaning() if kind == "same" else None
    near = 1e-4 if judging.kind_of(spelling) == "full" else 1e-2
    if meaning is not None and not np.allclose(spelling.y.value.array, meaning, rtol=10 * near,
                                               atol=near, equal_nan=True):
        return spelling, "the graph is not what attention means"
    if spelling.rotary.wrong:
        return spelling, "the graph does not turn as positions say"
    return spelling, None


def excused(spelling):
    """Need not be recognised: over what is known to be a single key nothing is to be fused, over a
    single channel there is no sum."""
    e, w = spelling.a.extents, spelling.w
    return (e["t"] == 1 and "t" not in w.symbolic) or (w.core == "additive" and e["d"] == 1)


def name_of(kind, index):
    return f"{kind}-{index:05}"



def complaints(kind, verdict, excuse, turned=0):
    """What is wrong with a case, in words; `turned`: how many tensors are turned by positions in a
    way that is to be found."""
    found = list(verdict.wrong)
    if kind == "same" and turned == 2 and not verdict.made["RotaryEmbedding"]:
        found.append("not recognised: what turns queries and keys")
    if kind == "same" and not verdict.fused and not (excuse or verdict.wrong):
        found.append("not recognised: " + "; ".join(verdict.reasons or ["no softmax is left"]))
    return found


def batch(job):
    """{name: [complaint]}, how many changed cases were fused all the same, and how many others were
    not and need not be."""
    seed, cases, folder = job
    wrong, count, left, excuses, turned = {}, 0, 0, set(), {}
    with tempfile.TemporaryDirectory() as temporary:
        place = folder or temporary
        for kind, index in cases:
            spelling, doubt = draw(seed, kind, index)
            judging.write(spelling, place, name_of(kind, index))
            turned[kind, index] = spelling.rotary.count
            if excused(spelling):
                excuses.add((kind, index))
            if doubt:
                wrong[name_of(kind, index)] = [doubt]
        verdicts = judging.judge(place, MODES)
    for kind, index in cases:
        verdict = verdicts.pop(name_of(kind, index), judging.Verdict())
        count += kind == "changed" and verdict.fused > 0
        left += kind == "same" and not verdict.fused
        found = complaints(kind, verdict, (kind, index) in excuses, turned[kind, index])
        if found:
            wrong.setdefault(name_of(kind, index), []).extend(found)
    for name, verdict in verdicts.items():
        if verdict.wrong:
            wrong[name] = verdict.wrong
    return wrong, count, left


# ---- Shrinking ----

def look(seed, kind, index, plain, fixed):
    """(choices that are not plain, complaints) of one case."""
    with tempfile.TemporaryDirectory() as folder:
        spelling, doubt = draw(seed, kind, index, plain, fixed)
        judging.write(spelling, folder, "case")
        found = complaints(kind, judging.judge(folder, MODES)["case"], excused(spelling),
                           spelling.rotary.count)
    return spelling.c.taken, ([doubt] if doubt else []) + found


def sort_of(complaint):
    """What stays the same while a case gets smaller: the reason, or that a result is wrong."""
    return complaint if complaint.startswith("not") else complaint.split(":")[0]


def shrink(seed, kind, index):
    """The plain choices with which the case still fails in the same way, and what is left."""
    plain = []
    taken, found = look(seed, kind, index, plain, {})
    goal = {sort_of(c) for c in found}
    for name in sorted(taken, reverse=True):
        if name == "mutation":
            continue
        try:
            less, now = look(seed, kind, index, plain + [name], {})
        except (ValueError, KeyError, IndexError):
            continue  # the choices that are left do not go together
        if goal & {sort_of(c) for c in now}:
            plain, taken, found = plain + [name], less, now
    return plain, taken, found


def report(seed, name, found, shrunk):
    kind, index = name.rsplit("-", 1)
    print(f"FAILED {name}: {found[0]}")
    if not shrunk or not index.isdigit():
        return
    plain, taken, found = shrink(seed, kind, int(index))
    print(f"    smallest: {', '.join(f'{k} = {v}' for k, v in sorted(taken.items()))}")
    for complaint in found:
        print(f"    {complaint}")
    flags = " ".join(f"--plain '{p}'" for p in plain)
    print(f"    test_spellings.py --seed {seed} --only {kind}:{int(index)} --keep DIR {flags}")


def one(options):
    kind, index = options.only.split(":")
    fixed = dict(f.split("=", 1) for f in options.fix)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or temporary
        spelling, doubt = draw(options.seed, kind, int(index), options.plain, fixed)
        judging.write(spelling, folder, name_of(kind, int(index)))
        verdict = judging.judge(folder, MODES)[name_of(kind, int(index))]
    for name, text in sorted(spelling.c.taken.items()):
        print(f"{name} = {text}")
    found = ([doubt] if doubt else []) + complaints(kind, verdict, excused(spelling),
                                                     spelling.rotary.count)
    print("\n".join(found or [f"right; {verdict.fused} recognised {verdict.reasons}"]))
    return 1 if found else 0


def main():
    options = read_options()
    if not os.path.exists(judging.SITES):
        judging.corpora.skip("the tool attention_sites is not built")
    if options.only:
        return one(options)
    cases = [(kind, i) for i in range(options.count // 2) for kind in ("same", "changed")]
    jobs = [(options.seed, cases[i:i + BATCH], options.keep) for i in range(0, len(cases), BATCH)]
    wrong, fused, unfused = {}, 0, 0
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        for found, count, left in pool.map(batch, jobs):
            wrong.update(found)
            fused += count
            unfused += left
    seen = collections.Counter()
    for name, found in sorted(wrong.items()):
        seen[sort_of(found[0])] += 1
        report(options.seed, name, found, seen[sort_of(found[0])] == 1 and len(seen) <= SHOWN)
    for sort, count in seen.most_common():
        print(f"{count} times: {sort}")
    same = sum(kind == "same" for kind, _ in cases)
    print(f"seed {options.seed}: {same} spellings of attention, {unfused} of them not recognised; "
          f"{len(cases) - same} changed, {fused} of them recognised all the same")
    print(f"{len(cases) - len(wrong)} passed, {len(wrong)} failed, 0 skipped")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
