"""What the style tests share: the files of the tree, comment stripping, and the report.

A style test collects violations as 'file:line: text' and ends with report(), which prints them
and the count of what was looked at. A test that found nothing to look at is skipped, not passed.
"""

import os
import re
import subprocess
import sys

ROOT = os.path.realpath(os.environ.get("HEED_SOURCE") or
                        os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("HEED_BUILD") or os.path.join(ROOT, "build")
SKIPPED = 77


def files(*folders, ends=(".c", ".h")):
    """Paths, relative to the root, of our files below the folders ('.': all), sorted."""
    found = set()
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others",
                             "--exclude-standard", "--"] + list(folders),
                            capture_output=True, check=False)
    if listed.returncode == 0:
        found = {name for name in os.fsdecode(listed.stdout).split("\0") if name}
    else:
        for folder in folders:
            for where, inner, names in os.walk(os.path.join(ROOT, folder)):
                inner[:] = [name for name in inner if name not in ("build", ".git")]
                found |= {os.path.relpath(os.path.join(where, name), ROOT) for name in names}
    return sorted(name for name in found
                  if name.endswith(tuple(ends)) and os.path.isfile(os.path.join(ROOT, name)))


def text(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read()


TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def blank(token):
    return "".join(c if c == "\n" else " " for c in token)


def without_comments(source):
    """The source with comments blanked; lines keep their numbers."""
    return TOKEN.sub(lambda m: blank(m[0]) if m[0][0] == "/" else m[0], source)


def code_only(source):
    """The source with comments and the content of strings blanked."""
    return TOKEN.sub(lambda m: blank(m[0]), source)


def skip(reason):
    print(reason)
    sys.exit(SKIPPED)


def report(what, looked_at, violations):
    """Ends the test: prints every violation, and fails if there is one."""
    if not looked_at:
        skip("%s: nothing to look at yet" % what)
    for line in violations:
        print(line)
    print("%s: %d looked at, %d violations" % (what, looked_at, len(violations)))
    sys.exit(1 if violations else 0)
