#!/usr/bin/env python3
"""Models of other projects: each loads and makes a session, or says which operator is missing."""

import glob
import os
import re
import subprocess

import corpora

MISSING = re.compile(r"operator \S+ not supported")


def main():
    models = sorted(glob.glob(os.path.join(corpora.SHARED, "models", "*.onnx")))
    if not models:
        corpora.skip("the models are not there: ../shared/models/*.onnx")
    passed, wrong, missing = 0, 0, 0
    for model in models:
        done = subprocess.run([corpora.HEED, "run", model], capture_output=True, text=True,
                              check=False)
        name = os.path.basename(model)
        if done.returncode == 0:
            passed += 1
        elif MISSING.search(done.stderr):
            missing += 1
            print("%s: %s" % (name, MISSING.search(done.stderr)[0]))
        else:
            wrong += 1
            print("FAILED %s: exit code %d: %s" % (name, done.returncode, done.stderr.strip()))
    print("%d passed, %d failed, %d skipped" % (passed, wrong, missing))
    return 1 if wrong else 0


raise SystemExit(main())
