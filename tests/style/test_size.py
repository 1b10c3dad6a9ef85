#!/usr/bin/env python3
"""No file over 600 lines, no line over 100 columns, no function over 60 lines in what ships.

A row of a table that is kept from the formatter (// clang-format off) may have 120 columns.
"""

import re

from style import code_only, files, report, text

MOST_LINES, MOST_COLUMNS, MOST_ROW, MOST_BODY = 600, 100, 120, 60
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


def lines_of(path, source, wrong):
    """Checks every line of a file."""
    most = MOST_COLUMNS
    for number, line in enumerate(source.splitlines(), 1):
        if "clang-format o" in line:
            most = MOST_ROW if "clang-format off" in line else MOST_COLUMNS
        if len(line) > most:
            wrong.append("%s:%d: %d columns" % (path, number, len(line)))
        if "\t" in line and path.endswith((".c", ".h")):
            wrong.append("%s:%d: a tab" % (path, number))


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
        lines_of(path, source, wrong)
        if path.startswith(("core/", "importers/", "backends/", "cli/")) and path.endswith(".c"):
            for start, length in functions(source):
                if length > MOST_BODY:
                    wrong.append("%s:%d: a function of %d lines" % (path, start, length))
    report("size", len(paths), wrong)


main()
