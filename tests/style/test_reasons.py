#!/usr/bin/env python3
"""Each reason why attention is not fused has a row in verdict_reasons.c: what the user can do; and
each feature of what is fused has one in explain_words.c: what it means.

A reason is the text of a site_stop or a body_fail where attention is found (core/passes/attention
and axes); a feature is a name in a table of verdict_features.c. Each reason why a decoder gets no
pages, the text of a paging_stop, has a row in paging/reasons.c."""

import re

from style import files, report, text

TABLE = "core/passes/verdict/verdict_reasons.c"
FEATURES = "core/passes/verdict/verdict_features.c"
WORDS = "cli/explain_words.c"
SOURCES = re.compile(r"core/passes/(attention/(site|recognise)|axes/)\w*\.c$")
PAGING = "core/passes/paging/reasons.c"
STOP = re.compile(r'\bpaging_stop\s*\(\s*[^;",]*,\s*((?:"[^"]*"\s*)+),')
REASON = re.compile(r'\b(?:site_stop|body_fail)\s*\([^;"]*"([^"%]+)"\s*\)')


def read_features():
    """Names in the tables: the first of a row, or alone in it."""
    tables = re.findall(r"\w+\[\] = \{(.*?)\n\};", text(FEATURES), re.S)
    return [name for table in tables for name in re.findall(r'"([a-z-]+)"', table)]


def main():
    sources = [path for path in files("core") if SOURCES.match(path)]
    if not sources:
        report("reasons", 0, [])
    found = [(path, reason, TABLE) for path in sources for reason in REASON.findall(text(path))]
    found += [(FEATURES, name, WORDS) for name in read_features()]
    for path in files("core"):
        if path.startswith("core/passes/paging/"):
            found += [(path, "".join(re.findall(r'"([^"]*)"', reason)), PAGING)
                      for reason in STOP.findall(text(path))]
    rows = {table: set(re.findall(r'\{\s*"([^"]+)"', text(table)))
            for table in {row[2] for row in found}}
    report("reasons", len(found), ["%s: \"%s\" has no row in %s" % (path, what, table)
                                   for path, what, table in found if what not in rows[table]])


main()
