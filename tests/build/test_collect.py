#!/usr/bin/env python3
"""A file dropped into a folder is built and listed; one that is removed is gone.

This is what makes an operator, a pass, a kernel or a verb one file. The test drives cmake/ in a
small project: it adds, edits and removes source files and rebuilds with `cmake --build` alone.
"""

import os
import subprocess
import sys
import tempfile
import time

ROOT = os.environ.get("HEED_SOURCE") or os.path.join(os.path.dirname(__file__), "..", "..")
PROJECT = """
cmake_minimum_required(VERSION 3.21)
project(collected C)
include("%s/cmake/HeedCollect.cmake")
file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/things/*.c")
heed_collect(lists list_table "const thing *const" things_ LISTS "thing.h" things)
heed_collect(items item_table "const thing" one_ ITEMS "thing.h" things)
add_executable(print main.c ${sources} "${lists}" "${items}")
target_include_directories(print PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
""" % os.path.realpath(ROOT).replace("\\", "/")
HEADER = """#ifndef THING_H
#define THING_H
typedef struct thing { const char *name; } thing;
extern const thing *const *const list_table[];
extern const thing *const item_table[];
#endif
"""
MAIN = """#include <stdio.h>
#include "thing.h"
int main(void)
{
    for (int i = 0; list_table[i]; i++)
        for (int k = 0; list_table[i][k]; k++) printf("%s ", list_table[i][k]->name);
    for (int i = 0; item_table[i]; i++) printf("%s ", item_table[i]->name);
    return 0;
}
"""
LIST = """#include <stddef.h>
#include "thing.h"
static const thing a = {"%(name)s.a"}, b = {"%(name)s.b"};
extern const thing *const things_%(name)s[];
const thing *const things_%(name)s[] = {&a, &b, NULL};
"""
ITEM = """#include "thing.h"
extern const thing one_%(name)s;
const thing one_%(name)s = {"%(name)s"};
"""


def write(folder, path, content):
    path = os.path.join(folder, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout[-2000:] + done.stderr[-2000:])
        sys.exit(1)
    return done.stdout


def main():
    with tempfile.TemporaryDirectory() as folder:
        build = os.path.join(folder, "build")
        write(folder, "CMakeLists.txt", PROJECT)
        write(folder, "thing.h", HEADER)
        write(folder, "main.c", MAIN)
        write(folder, "things/first.c", LIST % {"name": "first"})
        write(folder, "things/helper.c", "int helper(void);\nint helper(void) { return 0; }\n")
        run("cmake", "-S", folder, "-B", build)

        def names():
            time.sleep(1.1)  # make compares times to the second on some file systems
            run("cmake", "--build", build)
            return run(os.path.join(build, "print")).split()

        steps = [(names(), ["first.a", "first.b"], "at first")]
        write(folder, "things/inner/second.c", LIST % {"name": "second"})
        write(folder, "things/single.c", ITEM % {"name": "single"})
        steps.append((names(), ["first.a", "first.b", "second.a", "second.b", "single"],
                      "after two files were added"))
        write(folder, "things/helper.c", ITEM % {"name": "helper"})
        steps.append((names(), ["first.a", "first.b", "second.a", "second.b", "helper", "single"],
                      "after a helper got a table"))
        os.unlink(os.path.join(folder, "things/first.c"))
        steps.append((names(), ["second.a", "second.b", "helper", "single"],
                      "after a file was removed"))
    wrong = ["%s: got %s, expected %s" % (when, got, expected)
             for got, expected, when in steps if got != expected]
    print("\n".join(wrong))
    print("%d passed, %d failed, 0 skipped" % (len(steps) - len(wrong), len(wrong)))
    return 1 if wrong else 0


sys.exit(main())
