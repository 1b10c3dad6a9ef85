#!/usr/bin/env python3
"""Every C snippet of the Markdown files compiles; every relative link leads somewhere.

A snippet in a ```c block is a whole file. Every top folder has a README.md.
"""

import os
import re
import subprocess

from style import ROOT, files, report, text

BLOCK = re.compile(r"^```c\n(.*?)^```", re.M | re.S)
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
FOLDERS = ["core", "importers", "backends", "plugins", "cli", "tests", "examples"]
COMPILE = ["cc", "-x", "c", "-std=c11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
           "-D_GNU_SOURCE", "-I" + os.path.join(ROOT, "core/include"),
           "-I" + os.path.join(ROOT, "plugins/include"), "-I" + os.path.join(ROOT, "core"), "-"]


def main():
    wrong = []
    looked_at = 0
    for folder in FOLDERS:
        looked_at += 1
        if not os.path.isfile(os.path.join(ROOT, folder, "README.md")):
            wrong.append("%s/README.md:1: missing" % folder)
    for path in files(".", ends=(".md",)):
        page = text(path)
        for match in BLOCK.finditer(page):
            looked_at += 1
            line = page.count("\n", 0, match.start(1)) + 1
            run = subprocess.run(COMPILE, input=match[1], capture_output=True, text=True,
                                 check=False)
            if run.returncode:
                wrong.append("%s:%d: the snippet does not compile: %s" %
                             (path, line, run.stderr.strip()[:400]))
        for match in LINK.finditer(page):
            looked_at += 1
            target = os.path.join(ROOT, os.path.dirname(path), match[1])
            if not os.path.exists(target):
                line = page.count("\n", 0, match.start()) + 1
                wrong.append("%s:%d: dead link %s" % (path, line, match[1]))
    report("readme", looked_at, wrong)


main()
