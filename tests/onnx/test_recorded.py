#!/usr/bin/env python3
"""Recorded cases of com.microsoft's operators (contrib/record.py), on the default backends and on
the reference alone. They need neither ONNX Runtime nor any package."""

import os
import sys

import corpora

sys.dont_write_bytecode = True

ARCHIVE = os.path.join(corpora.HERE, "contrib", "recorded.tar.xz")


def main():
    from contrib.tolerances import TOLERANCES
    folder = corpora.unpacked(ARCHIVE)
    passed = failed = 0
    for flags in ((), ("--backends", "reference")):
        for name, options in TOLERANCES.items():
            part = os.path.join(folder, name)
            for case, row in sorted(corpora.run(part, *options, *flags).items()
                                    if os.path.isdir(part) else ()):
                passed += row["status"] == "passed"
                failed += row["status"] != "passed"
                if row["status"] != "passed":
                    print("FAILED %s %s: %s" % (case, " ".join(flags), row["reason"]))
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return 1 if failed or not passed else 0


sys.exit(main())
