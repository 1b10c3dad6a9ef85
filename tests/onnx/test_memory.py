#!/usr/bin/env python3
"""Does any model of the corpus need more memory with fused attention than without?

The peak of a run that begins with nothing but weights, as `heed bench` tells it: plan, arena and
results. It is exact, so that one round says it. All that may be more is what a fused node reads
when its values are there, and what others made earlier: queries, and keys in another layout. So few
models, and each by less than a fifth; at sizes where memory counts the scores are larger than
both."""

import concurrent.futures
import glob
import json
import os
import subprocess
import sys

import corpora

MOST_MODELS = 0.01  # of all
MOST_RATIO = 1.2


def peaks(model):
    """Bytes without and with fused attention, or None with the reason."""
    stored = sorted(glob.glob(os.path.join(os.path.dirname(model), "test_data_set_*")))
    command = [corpora.HEED, "bench", model, *["@" + path for path in stored[:1]], "--json",
               "--attention", "off,auto", "--rounds", "1", "--warmup", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or ["exit %d" % done.returncode])[-1]
    return [cell["memory_bytes"] for cell in json.loads(done.stdout)["cells"]], ""


def main():
    archive = os.path.join(corpora.SHARED, "models", "corpus.tar.xz")
    if not os.path.exists(archive):
        corpora.skip("the corpus is not there: ../shared/models/corpus.tar.xz")
    folder = corpora.unpacked(archive)
    models = sorted(glob.glob(os.path.join(folder, "*", "*", "model.onnx")))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        measured = list(zip(models, pool.map(peaks, models)))
    wrong, larger = [], []
    for model, (both, why) in measured:
        case = os.path.relpath(os.path.dirname(model), folder)
        if not both:
            wrong.append("%s: %s" % (case, why))
        elif both[1] > both[0]:
            larger.append((both[1] / both[0], both, case))
    for ratio, both, case in sorted(larger, reverse=True):
        print("larger: %s: %d bytes, %d without (%.3f)" % (case, both[1], both[0], ratio))
        if ratio > MOST_RATIO:
            wrong.append("%s: %.3f times the memory" % (case, ratio))
    if len(larger) > MOST_MODELS * len(models):
        wrong.append("%d models need more memory with fused attention" % len(larger))
    for line in wrong:
        print("FAILED " + line)
    print("%d models, %d need more memory with fused attention" % (len(models), len(larger)))
    sys.exit(1 if wrong or not models else 0)


main()
