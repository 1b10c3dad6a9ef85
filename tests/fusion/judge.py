"""What heed makes of written cases: which were recognised, and whether the results are right."""
import collections
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "onnx"))

import corpora  # noqa: E402
from differential.case import write_case  # noqa: E402

SITES = os.path.join(corpora.BUILD, "tests", "attention_sites")
# Relative and absolute tolerance: of float32; where a mask of -1e4 leaves three digits of the
# scores; of float16; of bfloat16.
TOLERANCES = {"full": ("2e-4", "5e-5"), "coarse": ("1e-2", "1e-2"), "half": ("3e-2", "3e-2"),
              "rough": ("1e-1", "1e-1")}
NARROW = {"float16": "half", "bfloat16": "rough"}


class Verdict:
    """Of one case: `fused`, the reasons of sites that are not, how many nodes of ours there are by
    name, and what went wrong."""

    def __init__(self):
        self.fused, self.reasons, self.wrong = 0, [], []
        self.made = collections.Counter()


def kind_of(spelling):
    if spelling.w.dtype in NARROW:
        return NARROW[spelling.w.dtype]
    return "coarse" if spelling.w.coarse else "full"


def write(spelling, folder, name):
    write_case(os.path.join(folder, kind_of(spelling), name), spelling.g.model(),
               spelling.g.given.values(), spelling.g.results.values())


def look_at_sites(folder, verdicts):
    paths = [os.path.join(at, "model.onnx") for at, _, files in os.walk(folder)
             if "model.onnx" in files]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("".join(path + "\n" for path in paths))
        file.flush()
        done = subprocess.run([SITES, file.name], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(f"{SITES} ended with {done.returncode}")
    for line in done.stdout.splitlines():
        what, path, *rest = line.split("\t")
        verdict = verdicts[os.path.basename(os.path.dirname(path))]
        if what == "fused":
            verdict.fused += 1
        elif what == "made":
            verdict.made[rest[0]] += 1
        else:
            verdict.reasons.append(" at ".join(rest[1:] if what == "left" else rest))
    return done.returncode == 0


def run(folder, *flags):
    """{case: row} of `heed test`."""
    done = subprocess.run([corpora.HEED, "test", folder, "--json", *flags],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    if not rows:
        print(f"heed test ended with {done.returncode}: {done.stderr}")
    return {row["case"]: row for row in rows}


def judge(folder, modes):
    """{name: Verdict} of all cases below the folder, each run in every mode."""
    verdicts = collections.defaultdict(Verdict)
    if not look_at_sites(folder, verdicts):
        verdicts["attention_sites"].wrong.append("it did not get through all of the models")
    for kind, (rtol, atol) in TOLERANCES.items():
        part = os.path.join(folder, kind)
        names = os.listdir(part) if os.path.isdir(part) else ()
        for mode in modes if names else ():
            rows = run(part, "--rtol", rtol, "--atol", atol, *mode)
            done = {os.path.basename(case) for case in rows}
            for name in set(names) - done:
                verdicts[name].wrong.append(f"{' '.join(mode)}: it was not run")
            for case, row in rows.items():
                if row["status"] != "passed":
                    verdicts[os.path.basename(case)].wrong.append(
                        f"{' '.join(mode)}: {row['reason']}")
    return verdicts
