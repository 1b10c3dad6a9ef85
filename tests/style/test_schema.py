#!/usr/bin/env python3
"""The committed ONNX schema is the one of the installed onnx package.

A newer package may have moved on; then this test says so and is skipped, because the version that
the copy comes from is the one that its README.md names.
"""

import os
import re

from style import report, skip, text

FOLDER = "importers/onnx/schema/"


def main():
    try:
        import onnx
    except ImportError:
        skip("schema: the Python package onnx is not installed")
    stated = re.search(r"package onnx (\d[\d.]*\d)", text(FOLDER + "README.md"))[1]
    if onnx.__version__ != stated:
        skip("schema: the copy is of onnx %s, installed is %s" % (stated, onnx.__version__))
    theirs = os.path.join(os.path.dirname(onnx.__file__), "onnx-ml.proto")
    with open(theirs, encoding="utf-8") as file:
        same = file.read() == text(FOLDER + "onnx-ml.proto")
    report("schema", 1, [] if same else [FOLDER + "onnx-ml.proto:1: differs from onnx " + stated])


main()
