"""Writes sampler_golden.h: the probabilities that are left after transformers' logits processors,
for test_sampler_golden.c. Presence and frequency penalties are OpenAI's formula, in place here.
Run by hand, with torch and transformers 4.57:

    python3 tests/unit/generate/sampler_golden.py
"""

from __future__ import annotations

import random
import textwrap
from pathlib import Path

import torch
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

HERE = Path(__file__).parent
TOKENS = 48


def entry(seed: int, i: int) -> float:
    """-4 to 4; test_sampler_golden.c has the same."""
    h = (seed + i * 2654435761) & 0xFFFFFFFF
    h = ((h ^ h >> 15) * 2246822519) & 0xFFFFFFFF
    return ((h ^ h >> 13) & 0xFFFFF) / 2**17 - 4


def main() -> None:
    rng = random.Random(8)
    rows = []
    for _ in range(40):
        seed = rng.randrange(1 << 30)
        prompt = [rng.randrange(TOKENS) for _ in range(rng.randrange(1, 12))]
        answer = [rng.randrange(TOKENS) for _ in range(rng.randrange(0, 12))]
        repetition = rng.choice([0.0, 1.0, 1.3, 1.1, 0.8])
        presence, frequency = rng.choice([0.0, 0.0, 0.6, -0.4]), rng.choice([0.0, 0.0, 0.3])
        temperature = rng.choice([1.0, 0.7, 0.2, 1.9])
        top_k, top_p = rng.choice([0, 0, 1, 5, 20, 60]), rng.choice([0.0, 0.35, 0.9, 0.97, 1.0])
        min_p = rng.choice([0.0, 0.0, 0.05, 0.3, 1.0])
        logits = torch.tensor([[entry(seed, i) for i in range(TOKENS)]])
        ids = torch.tensor([prompt + answer])
        if repetition > 0:
            logits = RepetitionPenaltyLogitsProcessor(repetition)(ids, logits)
        for token in set(answer):
            logits[0, token] -= presence + frequency * answer.count(token)
        chain = LogitsProcessorList([TemperatureLogitsWarper(temperature)])
        if top_k > 0:
            chain.append(TopKLogitsWarper(top_k))
        if 0 < top_p < 1:
            chain.append(TopPLogitsWarper(top_p))
        if min_p > 0:
            chain.append(MinPLogitsWarper(min_p))
        left = torch.softmax(chain(ids, logits)[0].double(), -1)
        expected = ", ".join(f"[{i}] = {p:.9g}" for i, p in enumerate(left.tolist()) if p > 0)
        options = (f".repetition_penalty = {repetition}f, .presence_penalty = {presence}f, "
                   f".frequency_penalty = {frequency}f, .temperature = {temperature}f, "
                   f".top_k = {top_k}, .top_p = {top_p}f, .min_p = {min_p}f")
        row = (f"{{.seed = {seed}u, .n_prompt = {len(prompt)}, "
               f".prompt = {{{', '.join(map(str, prompt))}}}, .n_answer = {len(answer)}, "
               f".answer = {{{', '.join(map(str, answer)) or 0}}}, .options = {{{options}}}, "
               f".left = {{{expected}}}}},")
        rows.append(textwrap.fill(row, 99, initial_indent="    ", subsequent_indent="     "))
    text = "/* Made by sampler_golden.py: what transformers' logits processors leave. */\n"
    text += "// clang-format off\nstatic const golden_case golden_cases[] = {\n"
    text += "\n".join(rows) + "\n};\n// clang-format on\n"
    (HERE / "sampler_golden.h").write_text(text)


if __name__ == "__main__":
    main()
