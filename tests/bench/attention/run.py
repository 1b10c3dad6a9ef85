#!/usr/bin/env python3
"""How fast is attention, beside the best of ONNX Runtime and PyTorch on the same machine?

    tests/bench/attention/run.py [--threads 2] [--rounds 5] [--only TEXT] [--quick] [--json FILE]
        [--dtype bf16|f16] [--sample N] [--seed S] [--part I/N]

Every shape of the list is computed by all ways that have it (ways.py), in alternating rounds; times
are the best of all rounds, of processor time where there is one thread. GF/s count the two
products, half of them when causal. The peak of fused multiply-adds (for bf16, of pairs of bfloat16)
is measured before each shape, on as many threads. `cores` is how many processors heed had when it
was fastest: less than the threads means that somebody else had one. `x peer` is heed's speed over
that of the fastest peer, `x off` that over heed without attention operators, `x f32` that over
heed in float32. No way may disagree with heed by more than 1e-3, or what the type holds. Shapes
that need more than --memory are left out. --sample takes so many of the others by chance; --part
splits a long run, and --json adds to the rows of the parts before it."""

from __future__ import annotations

import argparse
import gc
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import replace

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from ways import Library, Shape, heeds, peers  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("HEED_BUILD") or ROOT / "build")
LENGTHS = [1, 128, 512, 2048, 4096]
ONE_QUERY = (0, 2048)  # its keys
WORST = {"f32": 1e-3, "f16": 4e-3, "bf16": 3e-2}


def shapes(dtype: str) -> list[Shape]:
    """The list of the benchmark."""
    listed = []
    for batch in (1, 4, 16):
        for heads in (8, 12, 32):
            for size in (64, 128):
                for kind in ("full", "causal", "padded"):
                    for kv_heads in (heads, heads // 4, 1):
                        lengths = LENGTHS[kind == "causal" :]  # one query has no future
                        listed += [
                            Shape(batch, heads, kv_heads, s, max(s, ONE_QUERY[s == 1]), size, kind)
                            for s in lengths
                        ]
    return [replace(shape, dtype=dtype) for shape in listed]


def quick(dtype: str) -> list[Shape]:
    """A few of them that say most."""
    return [
        shape
        for shape in shapes(dtype)
        if (shape.batch, shape.heads, shape.size) in ((1, 12, 64), (4, 8, 128))
        and (shape.kv_heads == shape.heads or shape.kind == "causal" or shape.queries == 1)
    ]


def chosen(options: argparse.Namespace) -> list[Shape]:
    """The shapes that this run is for."""
    listed = [
        shape
        for shape in (quick if options.quick else shapes)(options.dtype)
        if needed(shape) <= options.memory * 1e9 and (options.only or "") in str(shape)
    ]
    if options.sample:
        seed = options.seed if options.seed is not None else random.randrange(10**6)
        print(f"{options.sample} of {len(listed)} shapes by seed {seed}")
        listed = random.Random(seed).sample(listed, min(options.sample, len(listed)))
    part, parts = (int(x) for x in options.part.split("/"))
    return listed[part - 1 :: parts]


def needed(shape: Shape) -> float:
    """Bytes that the unfused ways take at the same time, roughly."""
    return 3 * 4.0 * shape.batch * shape.heads * shape.queries * shape.keys


def peak(threads: int, dtype: str) -> float:
    """GF/s of fused multiply-adds, by the program beside this."""
    program = BUILD / "tests" / "bench_attention"
    done = subprocess.run(
        [program, "peak", f"threads={threads}", dtype],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "HEED_PLUGIN_PATH": str(BUILD / "lib" / "heed" / "plugins-1")},
    )
    return float(done.stdout)


def open_ways(makers: dict) -> dict:
    """The ways that this shape has on this machine; others say why not."""
    ways = {}
    for name, make in makers.items():
        try:
            way = make()
            way.run()
        except Exception as error:  # noqa: BLE001 - a peer may refuse in any manner
            print(f"  {name}: {str(error).splitlines()[0][:90]}", file=sys.stderr)
            continue
        ways[name] = way
    return ways


def same_results(ways: dict, worst: float) -> None:
    """Drops ways that compute something else."""
    want = ways["heed"].result()
    for name in list(ways):
        got = ways[name].result()
        if got.ndim == 3:
            got = got.reshape(want.shape[0], want.shape[2], want.shape[1], -1).swapaxes(1, 2)
        error = float(np.max(np.abs(got - want))) if got.shape == want.shape else float("inf")
        if not error < worst:
            print(f"  {name}: other results, by {error:g}", file=sys.stderr)
            ways.pop(name).free()


def wait_for_sleep() -> None:
    """Until the threads of the way before have gone to sleep: ONNX Runtime's and PyTorch's watch
    for more work for some ten milliseconds, and would take a processor from the next way."""
    end = time.perf_counter() + 0.3
    while time.perf_counter() < end:
        before = time.process_time()
        time.sleep(0.002)
        if time.process_time() - before < 0.0005:
            return


def best_times(ways: dict, rounds: int, seconds: float, clock) -> tuple[dict, dict]:
    """Alternating rounds; in each a way runs for a moment, the first time untimed, so that it finds
    its own data in the caches. Returns the best times, and the processors of the moments that had
    them."""
    best = {name: float("inf") for name in ways}
    cores = dict.fromkeys(ways, 0.0)
    start = time.perf_counter()
    for number in range(rounds):
        if number > 1 and time.perf_counter() - start > seconds:
            break
        for name, way in ways.items():
            wait_for_sleep()
            way.run()
            begin = last = clock()
            busy, before = time.process_time(), best[name]
            while last - begin < 0.03:
                way.run()
                now = clock()
                best[name] = min(best[name], now - last)
                last = now
            if best[name] < before:
                cores[name] = (time.process_time() - busy) / (last - begin)
    return best, cores


def measure(library: Library, shape: Shape, options: argparse.Namespace) -> dict | None:
    """One row, or nothing when heed alone can run it."""
    with tempfile.TemporaryDirectory() as folder:
        makers = heeds(library, shape, folder)
        if needed(shape) > options.memory * 1e9:
            makers.pop("off")
        makers.update(peers(shape, options.threads))
        ways = open_ways(makers)
        same_results(ways, WORST[shape.dtype])
        top = peak(options.threads, shape.dtype)
        clock = time.thread_time if options.threads == 1 else time.perf_counter
        best, cores = best_times(ways, options.rounds, options.seconds, clock)
        for way in ways.values():
            way.free()
    rivals = {name: t for name, t in best.items() if name not in ("heed", "off", "float32")}
    rivals = rivals or {"none": float("nan")}
    peer = min(rivals, key=rivals.get)
    row = {"shape": str(shape), "seconds": best, "peer": peer, "peak": top, "cores": cores}
    row["gflops"] = shape.flops / best["heed"] * 1e-9
    row["x_peer"] = rivals[peer] / best["heed"]
    row["x_off"] = best.get("off", float("nan")) / best["heed"]
    row["x_f32"] = best.get("float32", float("nan")) / best["heed"]
    return row


def show(row: dict) -> None:
    """One line of the table."""
    print(
        f"{row['shape']} {row['seconds']['heed'] * 1e6:10.1f} us {row['gflops']:6.0f} GF/s "
        f"{100 * row['gflops'] / row['peak']:4.0f} % of {row['peak']:4.0f}, "
        f"{row['cores']['heed']:.1f} cores  "
        f"{row['x_peer']:6.2f} x {row['peer']:23} {row['x_off']:6.2f} x off"
        + (f" {row['x_f32']:6.2f} x f32" if row["x_f32"] > 0 else ""),
        flush=True,
    )


def summary(rows: list[dict]) -> None:
    """What the table says as a whole."""
    ratios = sorted((row["x_peer"], row["shape"]) for row in rows)
    if not ratios:
        return
    mean = float(np.exp(np.mean(np.log([ratio for ratio, _ in ratios]))))
    print(
        f"\n{len(ratios)} shapes: {mean:.2f} x the best peer (geometric mean), least "
        f"{ratios[0][0]:.2f} x; {sum(ratio < 1.3 for ratio, _ in ratios)} below 1.3 x, "
        f"{sum(ratio < 1 for ratio, _ in ratios)} below 1 x"
    )
    for ratio, shape in ratios[:10]:
        print(f"  {ratio:5.2f} x  {shape}")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", type=float, default=3, help="GB that the unfused ways may take")
    parser.add_argument("--seconds", type=float, default=4, help="for the rounds of a shape")
    parser.add_argument("--dtype", default="f32", choices=list(WORST), help="of all tensors")
    parser.add_argument("--only", help="shapes whose line has this text")
    parser.add_argument("--quick", action="store_true", help="a few shapes that say most")
    parser.add_argument("--sample", type=int, help="so many shapes, by chance")
    parser.add_argument("--seed", type=int, help="of that choice; a new one is printed")
    parser.add_argument("--part", default="1/1", help="every N-th shape from the I-th on: I/N")
    parser.add_argument("--json", help="also write the rows to this file")
    options = parser.parse_args()
    try:
        import torch

        torch.set_num_threads(options.threads)
    except ImportError:
        print("no PyTorch here: ONNX Runtime is the only peer", file=sys.stderr)
    library = Library(BUILD)
    library.set_threads(options.threads)
    rows = []
    if options.json and pathlib.Path(options.json).exists() and options.part != "1/1":
        rows = json.loads(pathlib.Path(options.json).read_text())
    for shape in chosen(options):
        rows.append(measure(library, shape, options))
        show(rows[-1])
        gc.collect()
    summary(rows)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
