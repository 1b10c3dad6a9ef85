#!/usr/bin/env python3
"""What fewer key heads save: bytes of cache and time of a token, for MHA, GQA and MQA.

    tests/bench/heads/run.py [--context 8192] [--rounds 3] [--plot FILE.svg] [--json FILE]

The claims are those of Shazeer 2019 (arXiv 1911.02150) and Ainslie 2023 (arXiv 2305.13245): both
follow the number of key heads over that of query heads. One decoder is written three times
(model.py) and generates behind a short and a long prompt; all six take turns in one process, a few
steps each, so that the machine is the same for all. What the long prompt costs more is the time
that attention takes; of several rounds the median counts. `of MHA` should be `heads / query
heads`."""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import statistics
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


def generate(
    paths: dict[str, pathlib.Path], contexts: list[int], options: argparse.Namespace
) -> dict[tuple[str, int], dict]:
    """The row of bench_generate for each kind and context."""
    ways = [(name, context) for name in paths for context in contexts]
    done = subprocess.run(
        [
            BUILD / "tests" / "bench_generate",
            *(f"{paths[name]}@{context}" for name, context in ways),
            "context=1",
            f"threads={options.threads}",
            "rounds=1",
            f"tokens={options.tokens}",
            "each=4",
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "HEED_PLUGIN_PATH": str(BUILD / "lib" / "heed" / "plugins-1")},
    )
    return dict(zip(ways, map(json.loads, done.stdout.splitlines()), strict=True))


def measure(size: model.Size, kinds: dict[str, int], options: argparse.Namespace) -> dict:
    """The median step of each kind and context, in milliseconds, and its bytes of cache."""
    long = options.context
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: pathlib.Path(folder) / f"{name}.onnx" for name in kinds}
        for name, heads in kinds.items():
            model.write(paths[name], size, heads)
        rounds = [generate(paths, [SHORT, long], options) for _ in range(options.rounds)]

    def steps(name: str, context: int) -> list[float]:
        return [rows[name, context]["step_ms"] for rows in rounds]

    def attention(name: str) -> list[float]:
        return [b - a for a, b in zip(steps(name, SHORT), steps(name, long), strict=True)]

    whole = attention(next(iter(kinds)))
    return {
        name: {
            "kv_heads": kinds[name],
            "cache_mb": rounds[0][name, long]["cache_mb"],
            "short_ms": statistics.median(steps(name, SHORT)),
            "long_ms": statistics.median(steps(name, long)),
            "attention_ms": statistics.median(attention(name)),
            "shares": [a / b for a, b in zip(attention(name), whole, strict=True)],
            "stream_gb_s": [rows[name, long]["stream_gb_s"] for rows in rounds],
        }
        for name in kinds
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--context", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=128, help="of each context and round")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--plot", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    size = model.Size()
    kinds = {"MHA": size.heads, "GQA 4:1": size.heads // 4, "MQA": 1}
    rows = measure(size, kinds, options)
    whole = rows["MHA"]
    print("         heads  should be   cache MB  of MHA   attention ms  of MHA  token ms")
    for name, row in rows.items():
        print(
            f"{name:8} {row['kv_heads']:5}  {row['kv_heads'] / size.heads:9.4f}"
            f"  {row['cache_mb']:9.1f}  {row['cache_mb'] / whole['cache_mb']:6.3f}"
            f"  {row['attention_ms']:13.2f}  {statistics.median(row['shares']):6.4f}"
            f" {row['long_ms']:9.2f}  (rounds: {min(row['shares']):.4f} to"
            f" {max(row['shares']):.4f}, at {statistics.median(row['stream_gb_s']):.0f} GB/s)"
        )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if options.plot:
        share = [row["kv_heads"] / size.heads for row in rows.values()]
        series = {
            "bytes of cache": [r["cache_mb"] / whole["cache_mb"] for r in rows.values()],
            "time of attention": [statistics.median(r["shares"]) for r in rows.values()],
        }
        title = f"Fewer key heads at {options.context:,} tokens of context"
        plot.shares(options.plot, title, ("key heads / query heads", "of MHA"), share, series)


if __name__ == "__main__":
    main()
