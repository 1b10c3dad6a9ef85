#!/usr/bin/env python3
"""How long do sessions and generators take to open, beside ONNX Runtime's sessions?

    tests/bench/opening.py [DIR | MODEL...] [--runs N] [--slowest N] [--no-peer]

Opens every model (the unpacked corpus of the build, unless told) with heed_session_open,
heed_generator_open and, where it can be imported, onnxruntime.InferenceSession, in turn in one
process, and takes the least processor time of the runs of each. Loading the libraries and plugins
is not in it. Prints sum, median and the slowest of each, and the geometric mean of heed's session /
ONNX Runtime's over the models that both open. Ends with 1 when heed refuses a model."""

import argparse
import ctypes
import math
import os
import sys
import time
from pathlib import Path

from models import BUILD, HERE, find_models

sys.path.insert(0, os.path.join(HERE, "peers"))
from heed_ctypes import Library  # noqa: E402


def processor_ms(call):
    """What a call takes on all threads of the process, and what it gives."""
    begun = time.process_time_ns()
    result = call()
    return (time.process_time_ns() - begun) * 1e-6, result


class Heed:
    """Two ways to open a model; a status other than 0 is a refusal."""

    def __init__(self):
        self.c = Library(Path(BUILD)).c

    def open(self, what, model):
        """Milliseconds, or None for a refusal."""
        opened = getattr(self.c, "heed_%s_open" % what)
        handle = ctypes.c_void_p()
        took, status = processor_ms(lambda: opened(model.encode(), None, ctypes.byref(handle)))
        if not status:
            getattr(self.c, "heed_%s_free" % what)(handle)
        return None if status else took

    def session(self, model):
        return self.open("session", model)

    def generator(self, model):
        return self.open("generator", model)


def find_peer():
    """How ONNX Runtime opens a model, or None where it is not installed."""
    try:
        import onnxruntime as ort
    except ImportError:
        return None
    options = ort.SessionOptions()
    options.log_severity_level = 4

    def opened(model):
        try:
            return processor_ms(lambda: ort.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]))[0]
        except Exception:  # its errors have no common base
            return None

    return opened


def measure(model, ways, runs):
    """The least milliseconds of each way, or None where it refuses the model."""
    best = dict.fromkeys(ways)
    for _ in range(runs):
        for name, way in ways.items():
            took = way(model)
            if took is not None and (best[name] is None or took < best[name]):
                best[name] = took
    return best


def print_way(name, rows, slowest):
    took = sorted(((best[name], model) for model, best in rows if best[name] is not None),
                  reverse=True)
    if not took:
        return
    print("%s: %d of %d models, %.0f ms in all, median %.2f, 90 %% %.2f, most %.2f" % (
        name, len(took), len(rows), sum(ms for ms, _ in took), took[len(took) // 2][0],
        took[len(took) // 10][0], took[0][0]))
    for ms, model in took[:slowest]:
        print("  %8.2f ms  %s" % (ms, model))


def print_ratio(rows):
    ratios = sorted((best["session"] / best["onnxruntime"], model) for model, best in rows
                    if best["session"] and best.get("onnxruntime"))
    if not ratios:
        return
    mean = math.exp(sum(math.log(ratio) for ratio, _ in ratios) / len(ratios))
    print("session / onnxruntime: geometric mean %.3f of %d models, least %.3f, most %.3f (%s)" % (
        mean, len(ratios), ratios[0][0], *ratios[-1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("places", nargs="*")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--slowest", type=int, default=20, help="how many to print")
    parser.add_argument("--no-peer", action="store_true", help="heed only")
    args = parser.parse_args()
    heed, peer = Heed(), None if args.no_peer else find_peer()
    ways = {"session": heed.session, "generator": heed.generator}
    if peer:
        ways["onnxruntime"] = peer
    models = list(find_models(args.places or [os.path.join(BUILD, "data", "corpus")]))
    if models:
        measure(models[0], ways, 1)  # loads what is loaded once
    rows = [(model, measure(model, ways, args.runs)) for model in models]
    for name in ways:
        print_way(name, rows, args.slowest)
    print_ratio(rows)
    refused = [model for model, best in rows if best["session"] is None]
    for model in refused:
        print("not opened: %s" % model)
    sys.exit(1 if refused or not models else 0)


main()
