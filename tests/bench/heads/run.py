#!/usr/bin/env python3
"""What fewer key heads save: bytes of cache and time of a token, for MHA, GQA and MQA.

    tests/bench/heads/run.py [--context 8192] [--rounds 3] [--plot FILE.svg] [--json FILE]

The claims are those of Shazeer 2019 (arXiv 1911.02150) and Ainslie 2023 (arXiv 2305.13245): both
follow the number of key heads over that of query heads. One decoder is written three times
(model.py) and generates behind a short and a long prompt, in alternating rounds; what the long one
costs more is the time that attention takes. `of MHA` should be `heads / query heads`."""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import model  # noqa: E402
import plot  # noqa: E402

ROOT = HERE.parents[2]
BUILD = pathlib.Path(os.environ.get("HEED_BUILD") or ROOT / "build")
SHORT = 64


def generate(path: pathlib.Path, contexts: list[int], threads: int) -> dict[int, dict]:
    """The row of bench_generate for each context."""
    done = subprocess.run(
        [
            BUILD / "tests" / "bench_generate",
            path,
            "context=" + ",".join(map(str, contexts)),
            f"threads={threads}",
            "rounds=1",
            "tokens=32",
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "HEED_PLUGIN_PATH": str(BUILD / "lib" / "heed" / "plugins-1")},
    )
    rows = map(json.loads, done.stdout.splitlines())
    return {row["context"]: row for row in rows}


def measure(size: model.Size, kinds: dict[str, int], options: argparse.Namespace) -> dict:
    """The best step of each kind and context, in milliseconds, and its bytes of cache."""
    contexts = [SHORT, options.context]
    best = {name: {c: float("inf") for c in contexts} for name in kinds}
    cache: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: pathlib.Path(folder) / f"{name}.onnx" for name in kinds}
        for name, heads in kinds.items():
            model.write(paths[name], size, heads)
        for _ in range(options.rounds):
            for name in kinds:
                for context, row in generate(paths[name], contexts, options.threads).items():
                    best[name][context] = min(best[name][context], row["step_ms"])
                    cache[name] = row["cache_mb"]
    return {
        name: {
            "kv_heads": kinds[name],
            "cache_mb": cache[name],
            "short_ms": best[name][SHORT],
            "long_ms": best[name][options.context],
            "attention_ms": best[name][options.context] - best[name][SHORT],
        }
        for name in kinds
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--context", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--plot", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    size = model.Size()
    kinds = {"MHA": size.heads, "GQA 4:1": size.heads // 4, "MQA": 1}
    rows = measure(size, kinds, options)
    whole = rows["MHA"]
    print("         heads  should be   cache MB  of MHA   attention ms  of MHA   token ms")
    for name, row in rows.items():
        print(
            f"{name:8} {row['kv_heads']:5}  {row['kv_heads'] / size.heads:9.3f}"
            f"  {row['cache_mb']:9.1f}  {row['cache_mb'] / whole['cache_mb']:6.3f}"
            f"  {row['attention_ms']:13.2f}  {row['attention_ms'] / whole['attention_ms']:6.3f}"
            f"  {row['long_ms']:9.2f}"
        )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if options.plot:
        share = {
            "key heads": [row["kv_heads"] / size.heads for row in rows.values()],
            "cache bytes": [r["cache_mb"] / whole["cache_mb"] for r in rows.values()],
            "attention time": [r["attention_ms"] / whole["attention_ms"] for r in rows.values()],
        }
        title = f"Key heads at {options.context} tokens of context"
        plot.bars(options.plot, title, "share of MHA", list(rows), share)


if __name__ == "__main__":
    main()
