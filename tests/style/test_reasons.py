#!/usr/bin/env python3
"""Each reason why attention is not fused has a row in verdict_reasons.c: what the user can do.

A reason is the text of a site_stop or a body_fail in core/passes/attention."""

import re

from style import files, report, text

TABLE = "core/passes/verdict/verdict_reasons.c"
SOURCES = re.compile(r"core/passes/attention/(site|axes|recognise)\w*\.c$")
REASON = re.compile(r'\b(?:site_stop|body_fail)\s*\([^;"]*"([^"%]+)"\s*\)')


def main():
    sources = [path for path in files("core") if SOURCES.match(path)]
    if not sources:
        report("reasons", 0, [])
    rows = set(re.findall(r'\{\s*"([^"]+)"', text(TABLE)))
    found = [(path, reason) for path in sources for reason in REASON.findall(text(path))]
    report("reasons", len(found), ["%s: \"%s\" has no row in %s" % (path, reason, TABLE)
                                   for path, reason in found if reason not in rows])


main()
