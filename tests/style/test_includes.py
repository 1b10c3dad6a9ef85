#!/usr/bin/env python3
"""Includes point one way only.

Within core: base <- graph <- ops <- passes <- plan <- run <- generate; plugin/ stands beside plan.
Folders of passes see passes/ itself and what a table lists.
Importers and backends see plugins/include and their own folder; the command and the examples see
the public headers; plugins/include sees itself. System headers come from a list.
"""

import os
import re

from style import ROOT, files, report, text, without_comments

ORDER = ["base", "graph", "ops", "passes", "plan", "run", "generate"]
MAY = {name: set(ORDER[:i + 1]) for i, name in enumerate(ORDER)}
MAY["plugin"] = {"base", "graph", "ops", "plan", "plugin"}
for right in ("plan", "run", "generate"):
    MAY[right].add("plugin")

PASSES = {"axes": set(), "fuse": set(), "mask": {"axes"}, "paging": {"mask"},
          "attention/prepare": {"axes"}, "attention": {"axes", "mask", "verdict"},
          "verdict": {"attention"}}

SYSTEM = re.compile(
    r"(assert|complex|ctype|errno|fenv|float|inttypes|iso646|limits|locale|math|setjmp|signal|"
    r"stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|time|"
    r"wchar|dirent|dlfcn|endian|fcntl|getopt|glob|link|poll|pthread|sched|semaphore|termios|unistd|"
    r"(sys|linux|asm)/\w+)\.h")
PROCESSOR = re.compile(r"(immintrin|x86intrin|cpuid|arm_neon|arm_sve|arm_acle)\.h")
THIRD_PARTY = {"importers/onnx": re.compile(r"protobuf-c/protobuf-c\.h"),
               "backends/cpu": re.compile(r"cblas\.h|openblas_config\.h"),
               "importers/tokenizer": re.compile(r"pcre2\.h|utf8proc\.h"),
               "plugins/text": re.compile(r"pcre2\.h|utf8proc\.h"),
               "plugins/image": re.compile(r"turbojpeg\.h|png\.h|webp/decode\.h|tiffio\.h|"
                                           r"openjpeg\.h|stb/stb_image\.h")}
GENERATED = {"importers/onnx": {"onnx-ml.pb-c.h"}}
PUBLIC = {"heed/" + os.path.basename(name) for name in files("plugins/include/heed")}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def exists(*parts):
    return os.path.isfile(os.path.join(ROOT, *parts))


def core(path, name):
    """Why a core file may not include "name", or None."""
    own = path.split("/")[1]
    if name in PUBLIC or exists("core/include", name):
        return None
    if own == "include":
        return "a public header includes public headers only"
    module = name.split("/")[0] if "/" in name else own
    if module not in MAY or own not in MAY:
        return "not a header of core"
    if module not in MAY[own]:
        return "core/%s may not include %s/" % (own, module)
    return passes(path, name)


def passes(path, name):
    """Why a file of a folder of passes may not include one of another, or None."""
    own, other = (os.path.dirname(file).partition("passes/")[2] for file in (path, name))
    if not own or not other or other == own or other in PASSES.get(own, ()):
        return None
    return "passes/%s may not include passes/%s/" % (own, other)


def plugin(path, name):
    """Why an importer's or backend's file may not include "name", or None."""
    folder = "/".join(path.split("/")[:2])
    if name in PUBLIC or name in GENERATED.get(folder, ()):
        return None
    if exists(folder, name) or exists(os.path.dirname(path), name):
        return None
    return "a plugin includes plugins/include/heed and its own folder only"


def user(path, name):
    """Why the command or an example may not include "name", or None."""
    if name in PUBLIC or exists("core/include", name) or exists(os.path.dirname(path), name):
        return None
    return "only public headers and the own folder"


def sdk(_, name):
    return None if name in PUBLIC else "plugins/include includes itself only"


def system(path, name):
    """Why a file may not include <name>, or None."""
    folder = "/".join(path.split("/")[:2])
    allowed = [SYSTEM, THIRD_PARTY.get(folder)]
    if folder.startswith(("core", "backends")):
        allowed.append(PROCESSOR)
    if folder.startswith(("cli", "examples")) and name.startswith("heed/"):
        return user(path, name)
    if any(pattern and pattern.fullmatch(name) for pattern in allowed):
        return None
    return "not a C11, POSIX or Linux header, nor one of this folder's library"


RULES = {"core": core, "importers": plugin, "backends": plugin, "cli": user, "examples": user,
         "plugins/include": sdk, "plugins/text": plugin, "plugins/image": plugin}


def main():
    looked_at = 0
    wrong = []
    for folder, rule in RULES.items():
        for path in files(folder):
            source = without_comments(text(path))
            for match in INCLUDE.finditer(source):
                looked_at += 1
                why = (rule if match[1] == '"' else system)(path, match[2])
                if why:
                    line = source.count("\n", 0, match.start(2)) + 1
                    wrong.append("%s:%d: includes %s: %s" % (path, line, match[2], why))
    report("includes", looked_at, wrong)


main()
