#!/usr/bin/env python3
"""No path of somebody's machine, and no model's or exporter's name in the rules of the runtime.

Recognition is by meaning: a pass, a plan or a kernel that knows who made the model is wrong.
"""

import re

from style import files, report, text, without_comments

MACHINE = re.compile(r"(?<![\w.~$}])/(home|root|work|mnt|Users|opt|data|srv)/[\w.]")
TEXTS = (".c", ".h", ".py", ".sh", ".md", ".txt", ".cmake", ".in", ".json", "/demo", "/check",
         "/run", "/setup", "/build", "/format", "/fuzz")
# (pytorch_half_pixel is a value that the standard gives to an attribute of Resize, "qwen" one of
# GatedDeltaNet; GemmaRotaryEmbedding is an operator; BertNormalizer and the like are types of
# tokenizer.json.)
NAMES = re.compile(r"(?i)(?<![a-z])(gpt|bert(?!Normalizer|PreTokenizer|Processing)|llama|"
                   r"qwen(?!\"\))|mistral|gemma(?!RotaryEmbedding)|phi[234]|whisper|minilm|"
                   r"smollm|bloom|falcon|deepseek|pytorch(?!_half_pixel)|torchscript|optimum|"
                   r"tf2onnx|keras|jax|tensorflow|huggingface|transformers)")


def matches(pattern, source):
    for match in pattern.finditer(source):
        yield source.count("\n", 0, match.start()) + 1, match[0]


def main():
    wrong = []
    paths = [path for path in files(".", ends=("",))
             if ("/" + path).endswith(TEXTS) and "/schema/" not in path]
    for path in paths:
        for line, found in matches(MACHINE, text(path)):
            if not path.endswith("test_paths.py"):
                wrong.append("%s:%d: a path of one machine: %s" % (path, line, found))
    runtime = files("core", "backends", "importers")
    for path in runtime:
        for line, found in matches(NAMES, without_comments(text(path))):
            wrong.append("%s:%d: names a model or an exporter: %s" % (path, line, found))
    report("paths", len(paths) + len(runtime), wrong)


main()
