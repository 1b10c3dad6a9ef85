#!/usr/bin/env python3
"""The libraries never end the process, print, or go around the one allocator.

The object files are looked at by test_symbols.py; this test looks at the source, where it can say
the line, and also sees calls that a compiler option would hide (assert under NDEBUG).
"""

import re

from style import code_only, files, report, text

ALLOCATION = r"malloc|calloc|realloc|free|strdup|strndup|aligned_alloc|posix_memalign|memalign"
FORBIDDEN = (r"abort|exit|_exit|_Exit|quick_exit|assert|printf|fprintf|vprintf|vfprintf|puts|fputs|"
             r"putchar|perror|asprintf|vasprintf|system|gets|strcpy|strcat|sprintf|vsprintf|alloca")
# A call: the bare name and a bracket, not a member (host->free) and not part of a longer name.
CALL = re.compile(r"(?<![\w.>])(%s|%s)\s*\(" % (FORBIDDEN, ALLOCATION))
ALLOCATORS = re.compile(r"core/base/mem\.c|(importers|backends)/\w+/alloc\.c")


def main():
    wrong = []
    paths = files("core", "importers", "backends")
    for path in paths:
        source = code_only(text(path))
        for match in CALL.finditer(source):
            if ALLOCATORS.fullmatch(path) and re.fullmatch(ALLOCATION, match[1]):
                continue
            line = source.count("\n", 0, match.start()) + 1
            wrong.append("%s:%d: %s is not for libraries" % (path, line, match[1]))
    report("words", len(paths), wrong)


main()
