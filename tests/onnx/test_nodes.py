#!/usr/bin/env python3
"""The ONNX node tests, on the default backends and on the reference alone: every case of
expected_passes.txt passes on both. `--update` adds those that do and are not listed yet."""

import glob
import os

import corpora


def main():
    archives = sorted(glob.glob(os.path.join(corpora.SHARED, "onnx-node-tests", "*.tar.xz")))
    if not archives:
        corpora.skip("the node tests are not there: ../shared/onnx-node-tests")
    folder = corpora.unpacked(archives[-1])
    cases = os.path.join(folder, "onnx", "backend", "test", "data")
    runs = {"default": corpora.run(cases),
            "reference": corpora.run(cases, "--backends", "reference")}
    corpora.judge("expected_passes.txt", runs, lambda reason: True)


main()
