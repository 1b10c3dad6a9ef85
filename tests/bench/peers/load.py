"""What loading costs: heed against ONNX Runtime.

    python load.py [--model DIR] [--build build] [--nodes 5000] [--rounds 5]

Two questions. How long does a chain of 5,000 Add nodes take to load? And how much memory does a
model of 90 MB of weights take? For heed the second is asked twice: the model alone (weights stay
in the mapped file), and with a session (which may pack weights for the processor). Each figure
comes from a process of its own; times are the best of the rounds. Memory is split: anonymous
pages are copies that this process owns, file pages belong to the map and can be dropped.
Needs onnx, onnxruntime and numpy.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

CACHE = Path(os.environ.get("HEED_CACHE") or Path.home() / ".cache" / "heed")
MODEL = CACHE / "models" / "minilm-dynamo-18"


def write_chain(path: Path, nodes: int) -> None:
    """x -> Add -> Add -> ... -> y, each with a scalar initializer of its own."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save

    constants = [numpy_helper.from_array(np.float32(i), f"c{i}") for i in range(nodes)]
    names = ["x", *(f"v{i}" for i in range(nodes - 1)), "y"]
    chain = [
        helper.make_node("Add", [names[i], f"c{i}"], [names[i + 1]], f"add{i}")
        for i in range(nodes)
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n"]) for n in ("x", "y")]
    graph = helper.make_graph(chain, "chain", ends[:1], ends[1:], constants)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)


def memory() -> dict[str, float]:
    """MB of this process: all resident pages, and the anonymous ones among them."""
    text = Path("/proc/self/smaps_rollup").read_text()
    kilobytes = dict(re.findall(r"(\w+):\s+(\d+) kB", text))
    return {name: int(kilobytes[name]) / 1024 for name in ("Rss", "Anonymous")}


def opener(way: str, path: Path, build: Path) -> Callable[[], object]:
    """The call to measure; libraries are loaded before it."""
    if way == "ort":
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 3
        providers = ["CPUExecutionProvider"]
        return lambda: ort.InferenceSession(path, options, providers=providers)
    from heed_ctypes import Library

    library = Library(build)
    return lambda: (library.load if way == "heed-model" else library.open)(path)


def child(way: str, path: Path, build: Path) -> dict:
    """Opens the file once and says what it cost."""
    open_it = opener(way, path, build)
    before, begun = memory(), time.perf_counter()
    kept = open_it()
    spent, after = time.perf_counter() - begun, memory()
    assert kept
    return {"ms": spent * 1e3} | {name: after[name] - before[name] for name in before}


def measure(way: str, path: Path, args: argparse.Namespace) -> dict:
    """The best time and the least memory over the rounds, each in a fresh process."""
    command = [sys.executable, __file__, "--build", str(args.build), "--child", way, str(path)]
    results = []
    for _ in range(args.rounds):
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise SystemExit(f"{way} failed on {path}")
        results.append(json.loads(done.stdout.splitlines()[-1]))
    return {name: min(result[name] for result in results) for name in results[0]}


def compare(title: str, path: Path, args: argparse.Namespace) -> None:
    """A line for each way of loading one file."""
    print(f"{title}, {path.stat().st_size / 1e6:.1f} MB on disk")
    results = {way: measure(way, path, args) for way in ("heed-model", "heed-session", "ort")}
    for way, result in results.items():
        print(
            f"  {way:<13} {result['ms']:8.1f} ms   resident +{result['Rss']:.1f} MB, "
            f"of these anonymous +{result['Anonymous']:.1f} MB"
        )
    print(f"  ORT/heed-session time {results['ort']['ms'] / results['heed-session']['ms']:.2f}")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=MODEL, help="a folder with model.onnx")
    parser.add_argument("--build", type=Path, default=Path(__file__).resolve().parents[3] / "build")
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measures the chain, then the large model if it is there."""
    args = arguments()
    if args.child:
        print(json.dumps(child(args.child[0], Path(args.child[1]), args.build)))
        return
    with tempfile.TemporaryDirectory() as folder:
        chain = Path(folder) / "chain.onnx"
        write_chain(chain, args.nodes)
        compare(f"chain of {args.nodes} Add nodes", chain, args)
    model = args.model / "model.onnx"
    if model.exists():
        compare(args.model.name, model, args)
    else:
        print(f"{model} is not there: run tests/models/make minilm")


if __name__ == "__main__":
    main()
