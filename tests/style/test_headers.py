#!/usr/bin/env python3
"""Each header compiles alone: public ones as C11 and as C++17, inner ones as C11.

A header that leans on what its users happen to include first breaks the next user.
"""

import os
import shutil
import subprocess

from style import ROOT, files, report

FLAGS = ["-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-I" + os.path.join(ROOT, "core/include"),
         "-I" + os.path.join(ROOT, "plugins/include")]
INNER = ["-D_GNU_SOURCE", "-I" + os.path.join(ROOT, "core")]


def compilers(*names):
    return next(([path] for path in map(shutil.which, names) if path), None)


def complaint(compiler, language, standard, path, flags):
    """The compiler's first error about a file that includes just this header, or None."""
    run = subprocess.run(compiler + ["-x", language, "-std=" + standard] + flags + ["-"],
                         input='#include "%s"\nextern int heed_not_empty;\n' %
                         os.path.join(ROOT, path), capture_output=True, text=True, check=False)
    errors = [line for line in run.stderr.splitlines() if "error" in line] or [run.stderr[:200]]
    return errors[0].replace(ROOT + "/", "") if run.returncode else None


def main():
    c = compilers("cc", "gcc", "clang")
    cxx = compilers("g++", "clang++", "clang")
    public = files("core/include", "plugins/include", ends=(".h",))
    inner = [path for path in files("core", ends=(".h",)) if path not in public]
    jobs = [(c, "c", "c11", path, FLAGS + ["-Wpedantic"]) for path in public]
    jobs += [(cxx, "c++", "c++17", path, FLAGS) for path in public if cxx]
    jobs += [(c, "c", "gnu11", path, FLAGS + INNER) for path in inner]
    # The other folders' inner headers need their third-party includes; they must still compile.
    wrong = []
    for job in jobs:
        why = complaint(*job)
        if why:
            wrong.append("%s as %s: %s" % (job[3], job[2], why))
    if not cxx:
        wrong.append("no C++ compiler: public headers were not tried as C++17")
    report("headers", len(jobs), wrong)


main()
