#!/usr/bin/env python3
"""How fast a decoder generates, beside the limit of memory and beside other runtimes.

    tests/bench/generate/run.py MODEL [--past MODEL] [--contexts 128,512,1024] [--tokens 32]
        [--rounds 3] [--threads 2] [--only NAME,NAME] [--json FILE]

MODEL is what heed runs, with or without past tensors; --past is an export with past tensors for
ONNX Runtime; other peers (peers.py) say what they need. All take turns in each round, and the best
of the rounds counts. `limit` is what this machine reads a second (measured in every round) over the
bytes that a token needs: all weights, and keys and values of the tokens before it. Tokens are
random; prompts of a round differ, so that nothing is found that was computed before."""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from peers import Peer, peers  # noqa: E402

ROOT = HERE.parents[2]
BUILD = pathlib.Path(os.environ.get("HEED_BUILD") or ROOT / "build")


def heed(options: argparse.Namespace, context: int) -> dict:
    """One process of bench_generate. The first prompt of a process finds nothing warm; peers, which
    stay, have that in their first round only: so the better of two counts."""
    done = subprocess.run(
        [
            BUILD / "tests" / "bench_generate",
            options.model,
            f"context={context}",
            f"threads={options.threads}",
            f"tokens={options.tokens}",
            "rounds=2",
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "HEED_PLUGIN_PATH": str(BUILD / "lib" / "heed" / "plugins-1")},
    )
    return json.loads(done.stdout)


def better(old: dict | None, new: dict) -> dict:
    """Each figure by itself: the higher rate, the higher limit."""
    return new if old is None else {key: max(value, old[key]) for key, value in new.items()}


def measure(options: argparse.Namespace, ways: list[Peer], context: int) -> dict[str, dict]:
    best: dict[str, dict] = {}
    for round_number in range(options.rounds):
        best["heed"] = better(best.get("heed"), heed(options, context))
        for way in ways:
            prefill, decode = way.run(context, options.tokens, round_number)
            row = {"prefill_tokens_s": prefill, "decode_tokens_s": decode}
            best[way.name] = better(best.get(way.name), row)
    return best


def show(context: int, best: dict[str, dict]) -> None:
    limit = best["heed"]["limit_steps_s"]
    rivals = [row for name, row in best.items() if name != "heed"]
    reads = best["heed"]["stream_gb_s"]
    print(f"context {context}: reads {reads} GB/s, limit {limit:.1f} tokens/s")
    for name, row in best.items():
        decode, prefill = row["decode_tokens_s"], row["prefill_tokens_s"]
        print(
            f"  {name:14} decode {decode:7.2f} tokens/s ({100 * decode / limit:5.1f} %"
            f" of the limit)  prefill {prefill:8.1f} tokens/s"
        )
    for key in ("decode_tokens_s", "prefill_tokens_s") if rivals else ():
        ratio = best["heed"][key] / max(row[key] for row in rivals)
        print(f"  {key.split('_')[0]}: x {ratio:.2f} of the best peer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--past", type=pathlib.Path)
    parser.add_argument("--contexts", default="128,512,1024")
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    only = set(filter(None, options.only.split(",")))
    ways = [way for way in peers(options.past, options.threads) if not only or way.name in only]
    rows = {}
    for context in map(int, options.contexts.split(",")):
        rows[context] = measure(options, ways, context)
        show(context, rows[context])
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
