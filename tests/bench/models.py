"""Where benchmarks find the project, its build and models."""

import glob
import os

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.realpath(os.environ.get("HEED_SOURCE") or os.path.join(HERE, "..", ".."))
BUILD = os.path.realpath(os.environ.get("HEED_BUILD") or os.path.join(ROOT, "build"))


def find_models(places):
    """Models by name, and all below folders."""
    for place in places:
        if os.path.isdir(place):
            yield from sorted(glob.glob(os.path.join(place, "**", "*.onnx"), recursive=True))
        else:
            yield place
