"""Throughput of MiniLM-L6-v2 in float32: heed against ONNX Runtime, in one run.

    python minilm.py [--model DIR] [--build build] [--batch 8] [--seq 128] [--threads 2,1]

For each thread count, rounds of the two alternate and the best round of each counts, so that
what else the machine does hits both. Beside the ratio stands the share of the peak that is
measured in the same rounds: float32 products of 2048 x 2048 matrices in NumPy, so it is the peak
of NumPy's OpenBLAS on this machine, not the processor's data sheet. Results are compared first; a
wrong answer has no speed and ends the benchmark with exit code 1. Needs onnxruntime and numpy.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

CACHE = Path(os.environ.get("HEED_CACHE") or Path.home() / ".cache" / "heed")
MODEL = CACHE / "models" / "minilm-dynamo-18"
LAYERS, WIDTH, INNER = 6, 384, 1536
OUTPUT = "last_hidden_state"
TOLERANCE = 1e-4
PEAK_SIZE = 2048


def operations(batch: int, seq: int) -> float:
    """Floating point operations of the matrix products of one run; the rest is not counted."""
    weights = 2 * (4 * WIDTH * WIDTH + 2 * WIDTH * INNER)
    scores = 2 * 2 * seq * WIDTH
    return float(batch * seq * LAYERS * (weights + scores))


def feeds_of(batch: int, seq: int) -> dict[str, np.ndarray]:
    """Random tokens, rows padded to different lengths as a batch of sentences would be."""
    rng = np.random.default_rng(1)
    lengths = rng.integers(seq // 2, seq + 1, batch)
    mask = (np.arange(seq)[None] < lengths[:, None]).astype(np.int64)
    ids = rng.integers(1000, 30000, (batch, seq)) * mask
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def seconds(run: Callable[[], object], least: float) -> float:
    """Mean seconds a call over at least `least` seconds, after one call to warm up."""
    run()
    begun, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - begun) < least:
        run()
        count += 1
    return spent / count


def product() -> Callable[[], object]:
    """A float32 product of PEAK_SIZE^3 in NumPy, with its memory ready."""
    a, b = np.ones((2, PEAK_SIZE, PEAK_SIZE), np.float32)
    out = np.empty_like(a)
    return lambda: np.matmul(a, b, out=out)


def peer_session(model: Path, threads: int):
    """An ONNX Runtime session with its default optimisations."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def measure(args: argparse.Namespace, threads: int) -> dict:
    """Both engines at one thread count, in this process."""
    from heed_ctypes import Library

    feeds = feeds_of(args.batch, args.seq)
    library = Library(args.build)
    library.set_threads(threads)
    call = library.open(args.model / "model.onnx", args.backends).bind(feeds, [OUTPUT])
    peer = peer_session(args.model / "model.onnx", threads)
    call.run()
    difference = float(np.abs(call.fetch(0) - peer.run([OUTPUT], feeds)[0]).max())
    if not difference <= TOLERANCE:
        raise SystemExit(f"heed and ONNX Runtime differ by {difference:.3g}: nothing measured")
    ways = {"heed": call.run, "ort": lambda: peer.run([OUTPUT], feeds), "sgemm": product()}
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(args.rounds):
        for name, run in ways.items():
            best[name] = min(best[name], seconds(run, args.seconds))
    milliseconds = {f"{name}_ms": best[name] * 1e3 for name in ("heed", "ort")}
    peak = 2 * PEAK_SIZE**3 / best["sgemm"] / 1e9
    return {"threads": threads, **milliseconds, "peak_gflops": peak, "difference": difference}


def report(result: dict, args: argparse.Namespace) -> None:
    """One line for a thread count."""
    work = operations(args.batch, args.seq) / 1e9
    rates = {name: work / (result[f"{name}_ms"] / 1e3) for name in ("heed", "ort")}
    share = rates["heed"] / result["peak_gflops"]
    print(
        f"MiniLM {args.batch}x{args.seq} fp32, {result['threads']} thread(s): "
        f"heed {result['heed_ms']:.1f} ms ({rates['heed']:.1f} GFLOP/s), "
        f"ORT {result['ort_ms']:.1f} ms ({rates['ort']:.1f} GFLOP/s), "
        f"heed/ORT {result['ort_ms'] / result['heed_ms']:.3f}, "
        f"{share:.0%} of sgemm's {result['peak_gflops']:.1f} GFLOP/s, "
        f"max abs difference {result['difference']:.2g}"
    )


def child(threads: int) -> dict:
    """Measures in a process of its own, since OpenBLAS reads its thread count at load."""
    command = [sys.executable, __file__, *sys.argv[1:], "--child", str(threads)]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"measuring with {threads} threads failed")
    return json.loads(done.stdout.splitlines()[-1])


def arguments() -> argparse.Namespace:
    """The command line."""
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=MODEL, help="a folder with model.onnx")
    parser.add_argument("--build", type=Path, default=Path(__file__).resolve().parents[3] / "build")
    parser.add_argument("--backends", help="heed's backends, such as cpu,reference")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seq", type=int, default=128)
    parser.add_argument("--threads", default=",".join(dict.fromkeys([str(cores), "1"])))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each round")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measures each thread count and prints a line for it."""
    args = arguments()
    if args.child:
        print(json.dumps(measure(args, args.child)))
        return
    if not (args.model / "model.onnx").exists():
        raise SystemExit(f"{args.model} is not there: run tests/models/make minilm")
    for threads in map(int, args.threads.split(",")):
        result = child(threads)
        if args.json:
            print(json.dumps(result))
        else:
            report(result, args)


if __name__ == "__main__":
    main()
