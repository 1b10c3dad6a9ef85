#!/usr/bin/env python3
"""Does any model of the corpus need more memory with fused attention than without?

The peak of a run that begins with nothing but weights, as `heed bench` tells it: plan, arena and
results. It is exact, so that one round says it. A fused node reads queries, keys and values at the
same time, where the graph without it made scores of the first two earlier; most cases have 9
tokens, fewer than channels, so that scores are the smaller ones. Still none may need more: what is
kept for attention alone, and how long, is up to the passes (turned, late) and to the planner."""

import concurrent.futures
import glob
import json
import os
import subprocess
import sys

import corpora


def peaks(model):
    """Bytes without and with fused attention for the inputs that are stored, or None with the
    reason."""
    stored = sorted(glob.glob(os.path.join(os.path.dirname(model), "test_data_set_*")))
    inputs = ["@" + path for path in stored[:1]]
    command = [corpora.HEED, "bench", model, *inputs, "--json", "--attention", "off,auto",
               "--rounds", "1", "--warmup", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or ["exit %d" % done.returncode])[-1]
    cells = json.loads(done.stdout)["cells"]
    if any("memory_bytes" not in cell for cell in cells):
        return None, cells[-1].get("failed", "no memory told")
    return [cell["memory_bytes"] for cell in cells], ""


def main():
    archive = os.path.join(corpora.SHARED, "models", "corpus.tar.xz")
    if not os.path.exists(archive):
        corpora.skip("the corpus is not there: ../shared/models/corpus.tar.xz")
    folder = corpora.unpacked(archive)
    models = sorted(glob.glob(os.path.join(folder, "*", "*", "model.onnx")))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        measured = list(zip(models, pool.map(peaks, models)))
    wrong = []
    for model, (both, why) in measured:
        case = os.path.relpath(os.path.dirname(model), folder)
        if not both:
            wrong.append("%s: %s" % (case, why))
        elif both[1] > both[0]:
            wrong.append("%s: %d bytes, %d without" % (case, both[1], both[0]))
    for line in wrong:
        print("FAILED " + line)
    without, fused = (sum(both[i] for _, (both, _) in measured if both) for i in range(2))
    print("%d models; all together %d bytes without fused attention, %d with it" % (
        len(models), without, fused))
    sys.exit(1 if wrong or not models else 0)


main()
