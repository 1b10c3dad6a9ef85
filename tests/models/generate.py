"""Compares greedy text of `heed generate` with PyTorch's, and the exports with each other.

    python generate.py [--heed build/heed] [--tokens 64] [--rounds 3]

20 prompts go through both exports of SmolLM2, with and without past tensors, and through PyTorch
with the same weights, whose tokens are kept beside the models. A token that differs is right only
where PyTorch's two logits are closer than rounding (1e-3): the difference is shown, and what
follows it is not compared. Then a prompt is timed with both exports in turns; the ratio is printed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

from common import cache

MARGIN = 1e-3
EXPORTS = ("smollm2-optimum-past", "smollm2-dynamo-20")
PROMPTS = [
    "Once upon a time",
    "The capital of France is",
    "def fibonacci(n):\n",
    "In 1969, people first",
    "Water boils at",
    "The three laws of motion say that",
    "Dear Sir or Madam,",
    "To bake bread you need",
    "Il était une fois",
    "1, 2, 3, 5, 8, 13,",
    "<|im_start|>user\nWhat is an operating system?<|im_end|>\n<|im_start|>assistant\n",
    "<|im_start|>user\nName four colours.<|im_end|>\n<|im_start|>assistant\n",
    "She opened the door and saw",
    "The difference between a virus and a bacterium is",
    "#include <stdio.h>\n\nint main(void)\n{\n",
    "Die Katze sitzt auf",
    "Photosynthesis is the process by which",
    "Q: How many legs does a spider have?\nA:",
    "It was the best of times, it was the worst of times,",
    "The stock market fell on Monday after",
]


class Reference:
    """PyTorch on the weights that were exported; loaded only when something is not known yet."""

    def __init__(self) -> None:
        self.model = None

    def load(self) -> None:
        if self.model is None:
            from smollm2 import decoder

            self.model = decoder()

    def logits(self, ids: list[int]):
        import torch

        self.load()
        with torch.no_grad():
            return self.model(torch.tensor([ids])).logits[0, -1]

    def greedy(self, ids: list[int], n: int) -> list[int]:
        import torch

        self.load()
        out, past, step = [], None, torch.tensor([ids])
        with torch.no_grad():
            for _ in range(n):
                result = self.model(step, past_key_values=past, use_cache=True)
                past = result.past_key_values
                out.append(int(result.logits[0, -1].argmax()))
                step = torch.tensor([[out[-1]]])
        return out


def tokenizer_of(folder: Path):
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def golden(reference: Reference, folder: Path, n: int) -> list[dict]:
    """PyTorch's tokens, kept in a file that belongs to these prompts and this number."""
    path = cache() / f"smollm2-greedy-{n}.json"
    tokenizer = tokenizer_of(folder)
    if path.exists():
        cases = json.loads(path.read_text())
        if [c["prompt"] for c in cases] == PROMPTS:
            return cases
    cases = []
    for prompt in PROMPTS:
        ids = tokenizer.encode(prompt).ids
        cases.append({"prompt": prompt, "ids": ids, "tokens": reference.greedy(ids, n)})
    path.write_text(json.dumps(cases))
    return cases


def generate(heed: str, folder: Path, prompts: list[str], n: int, *flags: str) -> dict:
    words = [w for prompt in prompts for w in ("--prompt", prompt)]
    command = [heed, "generate", str(folder / "model.onnx"), *words, "--max-tokens", str(n),
               "--ignore-end", "--json", *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"heed generate failed ({done.returncode}): {done.stderr}")
    return json.loads(done.stdout)


def check(name: str, case: dict, got: dict, reference: Reference) -> bool:
    """One prompt: all tokens are PyTorch's, or the first other one is a tie."""
    if got["prompt_tokens"] != len(case["ids"]):
        print(f"{name}: {case['prompt']!r}: {got['prompt_tokens']} tokens, not {len(case['ids'])}")
        return False
    for i, (ours, theirs) in enumerate(zip(got["tokens"], case["tokens"], strict=True)):
        if ours == theirs:
            continue
        logits = reference.logits(case["ids"] + case["tokens"][:i])
        margin = float(logits[theirs] - logits[ours])
        print(f"{name}: {case['prompt']!r} token {i}: {ours}, not {theirs}; "
              f"PyTorch's logits differ by {margin:.2g}")
        return margin <= MARGIN
    return True


def speed(heed: str, folders: list[Path], rounds: int) -> None:
    """The best decode speed of each export, measured in turns, and their ratio."""
    best = {folder.name: 0.0 for folder in folders}
    for _ in range(rounds):
        for folder in folders:
            got = generate(heed, folder, [PROMPTS[0]], 128)
            best[folder.name] = max(best[folder.name], got["tokens_per_s"])
    for name, rate in best.items():
        print(f"{name}: {rate:.1f} tokens/s")
    print(f"without a cache / with past tensors: {best[EXPORTS[1]] / best[EXPORTS[0]]:.3f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("--heed", default=str(root / "build" / "heed"))
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    folders = [cache() / name for name in EXPORTS]
    for folder in folders:
        if not (folder / "model.onnx").exists() or not (folder / "tokenizer.json").exists():
            print(f"{folder.name} or its tokenizer.json is not made; run tests/models/make")
            return 77
    reference = Reference()
    cases = golden(reference, folders[0], args.tokens)
    passed = failed = 0
    for folder in folders:
        got = generate(args.heed, folder, PROMPTS, args.tokens)["sequences"]
        for case, sequence in zip(cases, got, strict=True):
            good = check(folder.name, case, sequence, reference)
            passed, failed = passed + good, failed + (not good)
    if args.rounds:
        speed(args.heed, folders, args.rounds)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return failed > 0


if __name__ == "__main__":
    raise SystemExit(main())
