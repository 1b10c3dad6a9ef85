#!/usr/bin/env python3
"""What the built libraries export and import.

libheed exports heed_* and nothing else; a plugin exports exactly heed_plugin_entry; no object file
but the allocator's imports an allocation function, and none imports a function that ends the
process or prints.
"""

import glob
import os
import re
import shutil
import subprocess

from style import BUILD, report, skip

ALLOCATION = set("malloc calloc realloc free strdup strndup aligned_alloc posix_memalign memalign "
                 "reallocarray valloc __strdup __strndup".split())
FORBIDDEN = set("abort exit _exit _Exit quick_exit __assert_fail __assert printf fprintf vprintf "
                "vfprintf puts fputs putchar putc fputc perror asprintf vasprintf __printf_chk "
                "__fprintf_chk __vprintf_chk __vfprintf_chk __asprintf_chk __vasprintf_chk "
                "system stdout stderr".split())
ALLOCATORS = re.compile(r"heed_core_objects\.dir/base/mem\.c\.o|heed_\w+_objects\.dir/alloc\.c\.o")


def symbols(paths, *options):
    """What nm lists of files: [(path, kind, name)]."""
    if not paths:
        return []
    listed = subprocess.run(["nm", "-P", "-A", *options, *paths], capture_output=True, text=True,
                            check=True)
    lines = (line.rpartition(": ") for line in listed.stdout.splitlines())
    rows = ((path, rest.split()) for path, _, rest in lines)
    return [(path, row[1], row[0].split("@")[0]) for path, row in rows if len(row) >= 2]


def exports(wrong):
    looked_at = 0
    library = os.path.join(BUILD, "lib", "libheed.so")
    if os.path.exists(library):
        looked_at += 1
        for _, _, name in symbols([library], "-D", "--defined-only"):
            if not name.startswith("heed_"):
                wrong.append("libheed.so exports %s" % name)
    for plugin in glob.glob(os.path.join(BUILD, "lib/heed/plugins-*/*.so")):
        looked_at += 1
        found = [(kind, name) for _, kind, name in symbols([plugin], "-D", "--defined-only")]
        if [name for _, name in found] != ["heed_plugin_entry"] or found[0][0] not in "RDB":
            wrong.append("%s exports %s, not just the data symbol heed_plugin_entry" %
                         (os.path.basename(plugin), found))
    return looked_at


def imports(wrong):
    objects = glob.glob(os.path.join(BUILD, "core/CMakeFiles/heed_core_objects.dir/**/*.o"),
                        recursive=True)
    for kind in ("importers", "backends"):
        objects += glob.glob(os.path.join(BUILD, kind, "*/CMakeFiles/heed_*_objects.dir/**/*.o"),
                             recursive=True)
    for path, _, name in symbols(objects, "-u"):
        allowed = ALLOCATION if ALLOCATORS.search(path) else set()
        if name in (FORBIDDEN | ALLOCATION) - allowed:
            wrong.append("%s imports %s" % (re.sub(r".*_objects\.dir/|\.o$", "", path), name))
    return len(objects)


def main():
    if os.environ.get("HEED_SANITIZE"):
        skip("sanitizers add symbols of their own")
    if not shutil.which("nm"):
        skip("nm is not installed")
    wrong = []
    looked_at = exports(wrong)
    looked_at += imports(wrong)
    report("symbols", looked_at, wrong)


main()
