#!/usr/bin/env python3
"""What pages bring for a fixed memory: the claims of the PagedAttention paper on this runtime.

    tests/bench/paging/run.py MODEL [--memory BYTES] [--requests N] [--rounds 2] [--most 2048]
        [--prompt 161] [--output 338] [--plots FOLDER] [--json FILE]

The claims (Kwon 2023, arXiv 2309.06180): at least 96 % of the memory of pages holds tokens, against
20-38 % of contiguous reservations; 2-4 times the throughput; the kernel 20-26 % slower. Here: the
same requests (bench_paging.c) served in pages of 16 tokens, and in one reservation of the longest
length for each sequence, in alternating rounds, best of all; then prompts that begin alike, with
and without sharing."""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import plot  # noqa: E402

ROOT = HERE.parents[2]
BUILD = pathlib.Path(os.environ.get("HEED_BUILD") or ROOT / "build")
PUBLISHED_FILL = {"Orca (Max)": 20.4, "Orca (Oracle)": 38.2, "vLLM": 96.3}  # per cent


def run(program: str, *arguments: object) -> list[dict]:
    """The JSON lines that a program of the build prints."""
    done = subprocess.run(
        [BUILD / "tests" / program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "HEED_PLUGIN_PATH": str(BUILD / "lib" / "heed" / "plugins-1")},
    )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def serve(options: argparse.Namespace, *more: object) -> list[dict]:
    common = [f"memory={options.memory}", f"requests={options.requests}", f"most={options.most}"]
    return run("bench_paging", options.model, *common, *more)


def better(old: dict | None, new: dict) -> dict:
    return new if old is None or new["requests_s"] > old["requests_s"] else old


def reservations(options: argparse.Namespace) -> tuple[dict, dict]:
    """Pages of 16 tokens, and of the longest sequence."""
    best: dict[int, dict] = {}
    lengths = [f"prompt={options.prompt}", f"output={options.output}"]
    for _ in range(options.rounds):
        for row in serve(options, f"pages=16,{options.most}", *lengths):
            size = row["page_tokens"]
            best[size] = better(best.get(size), row)
    return best[16], best[options.most]


def sharing(options: argparse.Namespace) -> tuple[dict, dict]:
    """Prompts that begin with the same 512 tokens, shared and not."""
    best: dict[str, dict] = {}
    for _ in range(options.rounds):
        for how in ("yes", "no"):
            more = ["pages=16", "prefix=512", "prompt=64", "output=64", f"sharing={how}"]
            best[how] = better(best.get(how), serve(options, *more)[0])
    return best["yes"], best["no"]


def show(name: str, row: dict) -> None:
    print(
        f"{name:22} {row['requests_s']:8.3f} requests/s {row['tokens_s']:8.1f} tokens/s"
        f"  {row['batch']:6.2f} at once  {100 * row['filled']:5.1f} % filled"
        f"  {row['preemptions']} preemptions"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--memory", type=int, default=384 << 20)
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--most", type=int, default=2048)
    parser.add_argument("--prompt", type=int, default=161)
    parser.add_argument("--output", type=int, default=338)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--plots", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    paged, reserved = reservations(options)
    show("pages of 16", paged)
    show(f"reserving {options.most}", reserved)
    print(f"  throughput x {paged['requests_s'] / reserved['requests_s']:.2f}")
    shared, alone = sharing(options)
    show("one prefix, shared", shared)
    show("one prefix, not shared", alone)
    print(f"  throughput x {shared['requests_s'] / alone['requests_s']:.2f}")
    if options.json:
        rows = {"paged": paged, "reserved": reserved, "shared": shared, "alone": alone}
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if options.plots:
        fill = {"reserved": 100 * reserved["filled"], "pages": 100 * paged["filled"]}
        labels = [*PUBLISHED_FILL, *fill]
        share = {"holds tokens": [*PUBLISHED_FILL.values(), *fill.values()]}
        title = "KV memory that holds tokens (left three: Kwon 2023)"
        plot.bars(options.plots / "paging-memory.svg", title, "%", labels, share)
        rates = {"requests/s": [r["requests_s"] for r in (reserved, paged, alone, shared)]}
        labels = ["reserved", "pages", "one prefix", "and shared"]
        title = "Requests served within a fixed KV memory"
        plot.bars(options.plots / "paging-throughput.svg", title, "requests/s", labels, rates)


if __name__ == "__main__":
    main()
