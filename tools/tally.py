#!/usr/bin/env python3
"""Sums up what ./check ran: tools/tally.py STEPS.txt RESULTS.xml...

STEPS.txt has a line 'passed|failed|skipped<TAB>name<TAB>reason' for each step; every RESULTS.xml
is a JUnit file of ctest. A test that says how many cases it ran, in its last line ('N passed,
N failed, N skipped') or in cmocka's words, counts with all of them; another one counts as one.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree

OWN = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.M)
CMOCKA_PASSED = re.compile(r"\[  PASSED  \] (\d+) test")
CMOCKA_FAILED = re.compile(r"\[  FAILED  \] (?:\w+: )?(\d+) test")
CMOCKA_SKIPPED = re.compile(r"\[  SKIPPED \] (?:\w+: )?(\d+) test")


def cases(output):
    """What a test's output says about its cases: passed, failed, skipped."""
    own = OWN.findall(output)
    if own:
        return [int(n) for n in own[-1]]
    return [sum(int(n) for n in pattern.findall(output))
            for pattern in (CMOCKA_PASSED, CMOCKA_FAILED, CMOCKA_SKIPPED)]


def reason(output):
    """Why a test was skipped: its last line that is not empty."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no reason given"


def tail(output):
    """The end of a failed test's output, indented."""
    lines = [line.rstrip()[:200] for line in output.splitlines() if line.strip()]
    return "\n".join("        " + line for line in lines[-20:])


def read_suite(path, rows):
    """Adds (name, counts, why) for every test of one JUnit file."""
    suite = re.sub(r".*/|\.xml$", "", path)
    for test in ElementTree.parse(path).getroot().iter("testcase"):
        output = test.findtext("system-out") or ""
        name = "%s: %s" % (suite, test.get("name"))
        status = test.get("status")
        if status == "run":
            passed, failed, skipped = cases(output)
            # ctest's verdict is the last word: it saw the exit status.
            counts = [passed, 0, skipped] if passed + skipped else [1, 0, 0]
            rows.append((name, counts, reason(output) if skipped or failed else ""))
        elif status in ("notrun", "disabled"):
            started = test.find("skipped")
            message = started.get("message", "") if started is not None else ""
            ran = message.startswith("SKIP_")
            rows.append((name, [0, 0, 1] if ran else [0, 1, 0],
                         reason(output) if ran else message or "it could not be started"))
        else:
            passed, failed, skipped = cases(output)
            rows.append((name, [passed, max(failed, 1), skipped], "\n" + tail(output)))


def main():
    rows = []
    with open(sys.argv[1], encoding="utf-8") as steps:
        for line in steps:
            status, name, why = line.rstrip("\n").split("\t")
            rows.append((name, [int(status == s) for s in ("passed", "failed", "skipped")], why))
    for path in sys.argv[2:]:
        read_suite(path, rows)

    print()
    for name, counts, why in rows:
        if counts[2]:
            print("SKIPPED %-40s %d: %s" % (name, counts[2], why))
    for name, counts, why in rows:
        if counts[1]:
            print("FAILED  %-40s %d: %s" % (name, counts[1], why))
    total = [sum(counts[i] for _, counts, _ in rows) for i in range(3)]
    print("%d passed, %d failed, %d skipped" % tuple(total))
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
