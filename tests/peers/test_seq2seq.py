#!/usr/bin/env python3
"""Encoder-decoders as Optimum exports them: greedy tokens and the best of four beams are what
transformers' generate gives of the PyTorch model (golden.json, made by tests/models).

The folder, of which the decoder without a past is taken, and the merged one, which has both forms,
must give the same. Requests of
one model are asked at once."""

import glob
import json
import os
import subprocess
import sys

CACHE = os.environ.get("HEED_CACHE") or os.path.expanduser("~/.cache/heed")
PROGRAM = os.path.join(os.environ["HEED_BUILD"], "tests", "seq2seq")
FILES = ("", "decoder_model_merged.onnx")
KINDS = (("greedy", "1"), ("beams", "4"))


def lines_of(request, name):
    numbers = " ".join(map(str, request["start"]))
    start = "start %d %s\n" % (len(request["start"]), numbers)
    if "tokens" in request:
        tokens = request["tokens"]
        return start + "tokens %d %s\n" % (len(tokens), " ".join(map(str, tokens)))
    dims = request["dims"]
    return start + "input %s %d %d %s\n" % (name, request["seed"], len(dims),
                                            " ".join(map(str, dims)))


def until(tokens, end):
    return tokens[:tokens.index(end)] if end in tokens else tokens


def check(model, told, kind, beams):
    """What is wrong; "" when nothing is."""
    asked = "".join(lines_of(request, told.get("input", "")) for request in told["requests"])
    command = [PROGRAM, model, str(told["max_tokens"]), str(told["end"]), beams]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    got = [[int(word) for word in line.split()] for line in done.stdout.splitlines()]
    if len(got) != len(told["requests"]):
        return done.stderr.strip() or "too few answers"
    for tokens, request in zip(got, told["requests"]):
        if until(tokens, told["end"]) != until(request[kind], told["end"]):
            return "%s, not %s" % (tokens, request[kind])
    return ""


def main():
    folders = sorted(glob.glob(os.path.join(CACHE, "models", "tiny-*", "golden.json")))
    if not folders:
        print("SKIPPED: not made; run tests/models/make encoder_decoders")
        sys.exit(77)
    passed = failed = 0
    for golden in folders:
        folder = os.path.dirname(golden)
        with open(golden, encoding="utf-8") as file:
            told = json.load(file)
        for name in FILES:
            for kind, beams in KINDS:
                wrong = check(os.path.join(folder, name), told, kind, beams)
                if wrong:
                    print("FAILED %s %s %s: %s" % (os.path.basename(folder), name, kind, wrong))
                failed += wrong != ""
                passed += wrong == ""
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    sys.exit(1 if failed else 0)


main()
