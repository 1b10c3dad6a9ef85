#!/usr/bin/env python3
"""No file over 600 lines, no line over 100 columns, no function over 60 lines in what ships."""

import re

from style import code_only, files, report, text

MOST_LINES, MOST_COLUMNS, MOST_BODY = 600, 100, 60
# Data that is written by tools or by others.
LEFT_OUT = re.compile(r"importers/onnx/schema/|core/generate/unicode_")


def functions(source):
    """(first line, lines) of every function: Linux braces put both of its braces in column 1."""
    start = None
    for number, line in enumerate(code_only(source).splitlines(), 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            yield start, number - start - 1
            start = None


def main():
    wrong = []
    paths = [path for path in files(".", ends=(".c", ".h", ".py", ".sh", ".cmake", ".cu", ".txt"))
             if not LEFT_OUT.match(path)]
    for path in paths:
        if path.endswith(".txt") and not path.endswith("CMakeLists.txt"):
            continue
        source = text(path)
        lines = source.splitlines()
        if len(lines) > MOST_LINES:
            wrong.append("%s:%d: more than %d lines" % (path, len(lines), MOST_LINES))
        for number, line in enumerate(lines, 1):
            if len(line) > MOST_COLUMNS:
                wrong.append("%s:%d: %d columns" % (path, number, len(line)))
            if "\t" in line and path.endswith((".c", ".h")):
                wrong.append("%s:%d: a tab" % (path, number))
        if path.startswith(("core/", "importers/", "backends/", "cli/")) and path.endswith(".c"):
            for start, length in functions(source):
                if length > MOST_BODY:
                    wrong.append("%s:%d: a function of %d lines" % (path, start, length))
    report("size", len(paths), wrong)


main()
