#!/usr/bin/env python3
"""Tokens and texts of many small tokenizers are those of the package `tokenizers`.

    test_made.py [NAME]... [--strings N]
"""

import argparse
import sys
import tempfile
from pathlib import Path

try:
    from compare import compare
    from made import MADE
except ImportError as error:
    print("SKIPPED: tokenizers are made by the package tokenizers: %s" % error)
    sys.exit(77)

import client

STRINGS = 400


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--strings", type=int, default=STRINGS)
    options = parser.parse_args()
    if not client.TOOL.exists():
        print("SKIPPED: %s is not built" % client.TOOL)
        sys.exit(77)
    failed = 0
    names = options.names or list(MADE)
    with tempfile.TemporaryDirectory() as folder:
        for i, name in enumerate(names):
            path = Path(folder) / (name + ".json")
            path.write_text(MADE[name]().to_str())
            failed += compare(name, path, options.strings, seed=i) != 0
    print("%d passed, %d failed, 0 skipped" % (len(names) - failed, failed))
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
