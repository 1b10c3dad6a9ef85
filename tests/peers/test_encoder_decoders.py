#!/usr/bin/env python3
"""heed generate on folders of encoder-decoders: greedy tokens and the best of four beams are those
of transformers' generate, from tokens and from features that are given as NAME=@file.npy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy

CACHE = Path(os.environ.get("HEED_CACHE") or Path.home() / ".cache" / "heed") / "models"
HEED = Path(os.environ["HEED_BUILD"]) / "heed"


def features(dims: list[int], seed: int) -> numpy.ndarray:
    """The same as tests/models/encoder_decoders.py makes."""
    count = numpy.arange(numpy.prod(dims), dtype=numpy.int64)
    values = ((count * 7919 + seed * 104729) % 257 - 128) / 64
    return values.astype(numpy.float32).reshape(dims)


def prompt(folder: Path, asked: dict, work: Path) -> list[str]:
    """The words that give what a request asks about."""
    if "tokens" in asked:
        return ["--tokens", ",".join(map(str, asked["tokens"]))]
    numpy.save(work / "features.npy", features(asked["dims"], asked["seed"]))
    done = subprocess.run([HEED, "inspect", folder / "encoder_model.onnx", "--json"],
                          capture_output=True, check=True)
    return [f"{json.loads(done.stdout)['inputs'][0]['name']}=@{work / 'features.npy'}"]


def check(folder: Path, golden: dict, asked: dict, kind: str, work: Path) -> bool:
    words = ["--decoder-tokens", ",".join(map(str, asked["start"])), "--stop-tokens",
             str(golden["end"]), "--max-tokens", str(golden["max_tokens"]), "--json"]
    words += ["--beams", "4"] if kind == "beams" else []
    done = subprocess.run([HEED, "generate", folder, *prompt(folder, asked, work), *words],
                          capture_output=True, text=True)
    good = done.returncode == 0 and json.loads(done.stdout)["tokens"] == asked[kind]
    if not good:
        print(f"{folder.name} {kind}: {done.stdout}{done.stderr}, not {asked[kind]}")
    return good


def main() -> int:
    folders = sorted(path.parent for path in CACHE.glob("*/golden.json"))
    if not folders:
        print("no encoder-decoder is made; run tests/models/make")
        return 77
    results = []
    with tempfile.TemporaryDirectory() as work:
        for folder in folders:
            golden = json.loads((folder / "golden.json").read_text())
            for asked in golden["requests"]:
                results += [check(folder, golden, asked, kind, Path(work))
                            for kind in ("greedy", "beams")]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed, 0 skipped")
    return not all(results)


if __name__ == "__main__":
    sys.exit(main())
