#!/usr/bin/env python3
"""Does any model of the corpus need more memory with fused attention than without?

The peak of a run that begins with nothing but weights, as `heed bench` tells it: plan, arena and
results. It is exact, so that one round says it. A fused node reads queries and keys when its values
and biases are there, where the graph without it made scores of them earlier: with fewer keys than
channels, such as the 9 tokens of most cases, scores are the smaller ones. So a model that needs
more must need less for 64 tokens. Where a file has one size, it may need 5 % more."""

import concurrent.futures
import glob
import json
import os
import subprocess
import sys

import corpora

TOKENS = "64"
FIXED_RATIO = 1.05


def peaks(model, *sizes):
    """Bytes without and with fused attention, or None with the reason. Inputs are those that are
    stored, unless sizes are given."""
    stored = sorted(glob.glob(os.path.join(os.path.dirname(model), "test_data_set_*")))
    inputs = sizes or ["@" + path for path in stored[:1]]
    command = [corpora.HEED, "bench", model, *inputs, "--json", "--attention", "off,auto",
               "--rounds", "1", "--warmup", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or ["exit %d" % done.returncode])[-1]
    cells = json.loads(done.stdout)["cells"]
    if any("memory_bytes" not in cell for cell in cells):
        return None, cells[-1].get("failed", "no memory told")
    return [cell["memory_bytes"] for cell in cells], ""


def judge(model, case, both):
    """What is wrong with a model that needs more memory for the inputs that it has; or None."""
    longer, _ = peaks(model, "--seq", TOKENS)
    if longer:
        print("larger: %s: %d bytes, %d without; for %s tokens %d, %d without" % (
            case, both[1], both[0], TOKENS, longer[1], longer[0]))
        more = longer[1] > longer[0]
        return "%s: more memory for %s tokens, too" % (case, TOKENS) if more else None
    print("larger: %s: %d bytes, %d without; it has one size" % (case, both[1], both[0]))
    return "%s: more memory" % case if both[1] > FIXED_RATIO * both[0] else None


def main():
    archive = os.path.join(corpora.SHARED, "models", "corpus.tar.xz")
    if not os.path.exists(archive):
        corpora.skip("the corpus is not there: ../shared/models/corpus.tar.xz")
    folder = corpora.unpacked(archive)
    models = sorted(glob.glob(os.path.join(folder, "*", "*", "model.onnx")))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        measured = list(zip(models, pool.map(peaks, models)))
    wrong, larger = [], 0
    for model, (both, why) in measured:
        case = os.path.relpath(os.path.dirname(model), folder)
        if not both:
            wrong.append("%s: %s" % (case, why))
        elif both[1] > both[0]:
            larger += 1
            wrong += filter(None, [judge(model, case, both)])
    for line in wrong:
        print("FAILED " + line)
    print("%d models, %d need more memory with fused attention" % (len(models), larger))
    sys.exit(1 if wrong or not models else 0)


main()
