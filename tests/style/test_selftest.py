#!/usr/bin/env python3
"""The style tests can fail: each runs on small trees that break its rule or obey it."""

import os
import subprocess
import sys
import tempfile

from style import ROOT, report

HERE = os.path.join(ROOT, "tests", "style")

REASONS = {
    "core/passes/attention/site_a.c": "x = site_stop(s, n, \"too far\");\n",
    "core/passes/verdict/verdict_reasons.c": "{\"too far\", \"\"},\n",
    "core/passes/verdict/verdict_features.c": "rows[] = {\n    {\"causal\", f},\n};\n"
                                              "kinds[] = {\n    \"window\",\n};\n",
    "cli/explain_words.c": "{\"causal\", \"\"},\n{\"window\", \"\"},\n",
}


# (test, {path: content}, a piece of the expected complaint; None: the test must pass)
CASES = [
    ("includes", {"core/base/a.c": '#include "graph/g.h"\n', "core/graph/g.h": ""},
     "core/base may not include graph/"),
    ("includes", {"core/graph/a.c": '#include "base/b.h"\n', "core/base/b.h": ""}, None),
    ("includes", {"core/plugin/a.c": '#include "run/r.h"\n', "core/run/r.h": ""},
     "core/plugin may not include run/"),
    ("includes", {"core/passes/mask/a.c": '#include "passes/fuse/f.h"\n',
                  "core/passes/fuse/f.h": ""}, "passes/mask may not include passes/fuse/"),
    ("includes", {"core/passes/attention/prepare/a.c": '#include "passes/attention/site.h"\n',
                  "core/passes/attention/site.h": ""},
     "passes/attention/prepare may not include passes/attention/"),
    ("includes", {"core/passes/new/a.c": '#include "passes/mask/m.h"\n',
                  "core/passes/mask/m.h": ""}, "passes/new may not include passes/mask/"),
    ("includes", {"core/passes/mask/a.c": '#include "passes/axes/axes.h"\n',
                  "core/passes/axes/axes.h": ""}, None),
    ("includes", {"core/base/a.c": "#include <curl/curl.h>\n"}, "not a C11, POSIX or Linux header"),
    ("includes", {"backends/cpu/a.c": '#include "base/b.h"\n', "core/base/b.h": ""},
     "a plugin includes"),
    ("includes", {"backends/cpu/a.c": "#include <protobuf-c/protobuf-c.h>\n"},
     "nor one of this folder's library"),
    ("includes", {"importers/onnx/a.c": "#include <protobuf-c/protobuf-c.h>\n"}, None),
    ("includes", {"cli/a.c": '#include "base/b.h"\n', "core/base/b.h": ""}, "only public headers"),
    ("words", {"core/base/a.c": "void *f(void) {\n  return malloc(1); }\n"},
     "core/base/a.c:2: malloc"),
    ("words", {"core/base/mem.c": "void f(void *p) { free(p); }\n"}, None),
    ("words", {"core/base/mem.c": "void f(void) { abort(); }\n"}, "abort is not for libraries"),
    ("words", {"backends/cpu/a.c": "void f(void *p) { host->free(p); } /* malloc(1) */\n"}, None),
    ("words", {"importers/onnx/a.c": "void f(int x) { assert(x); }\n"}, "assert is not"),
    ("size", {"core/base/a.c": "int x;\n" * 601}, "more than 600 lines"),
    ("size", {"core/base/a.c": "// " + "x" * 98 + "\n"}, "101 columns"),
    ("size", {"core/base/a.c": "// clang-format off\n// " + "x" * 110 + "\n"}, None),
    ("size", {"core/base/a.c": "// clang-format off\n// clang-format on\n//" + "x" * 110 + "\n"},
     "112 columns"),
    ("size", {"core/base/a.c": "void f(void)\n{\n" + "    g();\n" * 61 + "}\n"},
     "a function of 61 lines"),
    ("size", {"core/base/a.c": "void f(void)\n{\n" + "    g();\n" * 60 + "}\n"}, None),
    ("headers", {"plugins/include/heed/x.h": "size_t heed_x(void);\n"}, "size_t"),
    ("headers", {"plugins/include/heed/x.h": "int heed_x(int class);\n"}, "as c++17"),
    ("headers", {"core/base/x.h": "#include <stddef.h>\nsize_t heed_x(void);\n"}, None),
    ("readme", {"core/README.md": "```c\nint x = ;\n```\n"}, "does not compile"),
    ("readme", {"core/README.md": "[a](gone.md)\n"}, "dead link gone.md"),
    ("paths", {"core/base/a.c": "const char *p = \"/ho" "me/someone/x\";\n"},
     "a path of one machine"),
    ("paths", {"core/passes/a.c": "static int is_llama;\n"}, "names a model or an exporter"),
    ("paths", {"core/passes/a.c": "// as llama spells it\nstatic int x;\n"}, None),
    ("reasons", {**REASONS, "core/passes/attention/site_a.c": "site_stop(s, n, \"too near\");\n"},
     "\"too near\" has no row"),
    ("reasons", {**REASONS, "cli/explain_words.c": "{\"causal\", \"\"},\n"},
     "\"window\" has no row"),
    ("reasons", REASONS, None),
]


# (path of what is compiled, source, a piece of the expected complaint), for test_symbols.py.
EXPORT = '__attribute__((visibility("default"))) '
BINARIES = [
    ("lib/libheed.so", EXPORT + "int heed_x(void) { return 0; }", None),
    ("lib/libheed.so", EXPORT + "int other(void) { return 0; }", "libheed.so exports other"),
    ("lib/heed/plugins-1/x.so", EXPORT + "const int heed_plugin_entry = 1;", None),
    ("lib/heed/plugins-1/x.so", EXPORT + "const int entry = 1;", "not just the data symbol"),
    ("lib/heed/plugins-1/x.so", EXPORT + "int heed_plugin_entry(void) { return 0; }",
     "not just the data symbol"),
    ("core/CMakeFiles/heed_core_objects.dir/run/a.c.o",
     "#include <stdlib.h>\nvoid *f(void) { return malloc(1); }", "run/a.c imports malloc"),
    ("core/CMakeFiles/heed_core_objects.dir/base/mem.c.o",
     "#include <stdlib.h>\nvoid *f(void) { return malloc(1); }", None),
    ("backends/x/CMakeFiles/heed_x_objects.dir/a.c.o",
     "#include <stdlib.h>\nvoid f(void) { abort(); }", "a.c imports abort"),
]


def run_on_binary(path, source):
    """Exit status and output of test_symbols.py on a build folder that holds one binary."""
    with tempfile.TemporaryDirectory() as build:
        output = os.path.join(build, path)
        os.makedirs(os.path.dirname(output))
        kind = ["-shared"] if path.endswith(".so") else ["-c"]
        subprocess.run(["cc", "-x", "c", "-fPIC", "-fvisibility=hidden", "-o", output, "-"] + kind,
                       input=source, text=True, check=True)
        done = subprocess.run([sys.executable, os.path.join(HERE, "test_symbols.py")],
                              env=dict(os.environ, HEED_BUILD=build, HEED_SANITIZE=""),
                              capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def run(test, tree):
    """Exit status and output of a style test on a tree."""
    with tempfile.TemporaryDirectory() as root:
        for path, content in tree.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(content)
        done = subprocess.run([sys.executable, os.path.join(HERE, "test_%s.py" % test)],
                              env=dict(os.environ, HEED_SOURCE=root), capture_output=True,
                              text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def main():
    runs = [(test, tree, expected, run(test, tree)) for test, tree, expected in CASES]
    runs += [("symbols", source, expected, run_on_binary(path, source))
             for path, source, expected in BINARIES]
    wrong = []
    for test, what, expected, (status, output) in runs:
        if expected is None and status != 0:
            wrong.append("test_%s.py complains about %s: %s" % (test, what, output))
        elif expected is not None and (status != 1 or expected not in output):
            wrong.append("test_%s.py does not see '%s' in %s: %d %s" %
                         (test, expected, what, status, output))
    report("selftest", len(runs), wrong)


main()
