"""Trains the verse model on the King James Bible and writes verse.pt and tokenizer.json.

The text comes from Debian's packages `bible-kjv` and `bible-kjv-text`: the second holds a
compressed database, which the program of the first prints (see corpus()).

    python train.py --out build/verse
    python train.py --out build/verse --sample "In the beginning"

A stopped run goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn import functional as F

from model import Config, Verse

END = "<|endoftext|>"
SEED = 1611


def corpus() -> list[str]:
    """The chapters of the Bible, one verse a line, without headings and verse numbers."""
    command = ["bible", "-l100000", "gen1:1-rev22:21"]
    raw = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    chapters: list[list[str]] = []
    for line in raw.splitlines():
        verse = re.match(r"\s+(\d+) (.+)", line)
        if verse is None:
            continue
        if verse[1] == "1":
            chapters.append([])
        chapters[-1].append(verse[2].strip())
    return ["\n".join(verses) + "\n" for verses in chapters]


def train_tokenizer(chapters: list[str], vocab: int) -> Tokenizer:
    """A byte-level BPE; its alphabet holds all 256 bytes, so any text can be encoded."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(chapters, trainer)
    return tokenizer


def split(chapters: list[str], tokenizer: Tokenizer) -> tuple[torch.Tensor, torch.Tensor]:
    """Token streams for training and for validation (every 50th chapter), END after each."""
    streams: tuple[list[int], list[int]] = ([], [])
    for i, chapter in enumerate(chapters):
        streams[i % 50 == 49].extend([*tokenizer.encode(chapter).ids, tokenizer.token_to_id(END)])
    return torch.tensor(streams[0]), torch.tensor(streams[1])


def windows(tokens: torch.Tensor, starts: torch.Tensor, length: int) -> torch.Tensor:
    """[len(starts), length + 1] tokens, one window for each start."""
    return tokens[starts[:, None] + torch.arange(length + 1)]


def loss_of(model: Verse, batch: torch.Tensor) -> torch.Tensor:
    """Mean cross entropy (nats) of each window's tokens given those before them."""
    logits, _ = model(batch[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())


@torch.no_grad()
def validate(model: Verse, tokens: torch.Tensor, length: int) -> float:
    """Mean loss over the validation stream, in windows that do not overlap."""
    starts = torch.arange(0, len(tokens) - length - 1, length)
    return float(loss_of(model, windows(tokens, starts, length)))


def optimizer_of(model: Verse) -> torch.optim.AdamW:
    """AdamW that decays matrices only."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    groups = [
        {"params": matrices, "weight_decay": 0.1},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.97), eps=1e-9)


def learning_rate(progress: float, args: argparse.Namespace) -> float:
    """Linear warm-up over 5 % of the run, then a cosine down to 2 % of the peak."""
    if progress < 0.05:
        return args.rate * progress / 0.05
    return args.rate * (0.02 + 0.49 * (1 + math.cos(math.pi * (progress - 0.05) / 0.95)))


@torch.no_grad()
def sample(
    model: Verse, tokenizer: Tokenizer, prompt: str, count: int, temperature: float = 0.0
) -> str:
    """The prompt and `count` more tokens: greedy, or drawn at a temperature."""
    ids = tokenizer.encode(prompt).ids
    for _ in range(count):
        logits = model(torch.tensor([ids]))[0][0, -1]
        if temperature > 0:
            ids.append(int(torch.multinomial(F.softmax(logits / temperature, -1), 1)))
        else:
            ids.append(int(logits.argmax()))
    return tokenizer.decode(ids, skip_special_tokens=False)


def save(path: Path, step: int, model: Verse, optimizer: torch.optim.AdamW, spent: float) -> None:
    """Writes a checkpoint so that a crash never leaves half a file."""
    state = {
        "step": step,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "spent": spent,
    }
    torch.save(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").rename(path)


def step_once(
    model: Verse, optimizer: torch.optim.AdamW, batch: torch.Tensor, rate: float
) -> float:
    """One optimiser step with clipped gradients; gives back the loss."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    loss = loss_of(model, batch)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def train(model: Verse, tokenizer: Tokenizer, args: argparse.Namespace) -> None:
    """The training loop: from the last checkpoint (or nothing) to args.steps or args.minutes.

    The learning rate follows whichever is nearer to its end, so that a slow machine stops in
    time with a model that has cooled down.
    """
    tokens, held_out = split(corpus(), tokenizer)
    optimizer, checkpoint = optimizer_of(model), args.out / "verse.pt"
    first, spent = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first, spent = state["step"], state["spent"]
    print(f"{len(tokens)} training tokens, {len(held_out)} held out", flush=True)
    begun, mean, progress = time.time() - spent, 0.0, 0.0
    for step in range(first, args.steps):
        generator = torch.Generator().manual_seed(SEED + step)
        starts = torch.randint(len(tokens) - args.length, (args.batch,), generator=generator)
        spent = time.time() - begun
        progress = max((step + 1) / args.steps, spent / 60 / args.minutes)
        rate = learning_rate(min(progress, 1.0), args)
        loss = step_once(model, optimizer, windows(tokens, starts, args.length), rate)
        mean = loss if mean == 0 else 0.98 * mean + 0.02 * loss
        if (step + 1) % args.every == 0 or progress >= 1:
            value = validate(model, held_out, args.length)
            save(checkpoint, step + 1, model, optimizer, spent)
            row = {"step": step + 1, "train": mean, "validation": value, "seconds": spent}
            print(json.dumps({k: round(v, 3) for k, v in row.items()}), flush=True)
        if progress >= 1:
            break


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/verse"))
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--minutes", type=float, default=42.0)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--every", type=int, default=250, help="steps between checkpoints")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sample", help="print samples for this prompt, train nothing")
    return parser.parse_args()


def main() -> None:
    """Trains, or samples from what was trained."""
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(SEED)
    args.out.mkdir(parents=True, exist_ok=True)
    vocabulary = args.out / "tokenizer.json"
    if not vocabulary.exists():
        train_tokenizer(corpus(), Config().vocab).save(str(vocabulary))
    tokenizer, model = Tokenizer.from_file(str(vocabulary)), Verse()
    if args.sample is None:
        train(model, tokenizer, args)
        return
    model.load_state_dict(torch.load(args.out / "verse.pt")["model"])
    for temperature in (0.0, 0.6, 0.9):
        print(f"--- temperature {temperature}")
        print(sample(model, tokenizer, args.sample, 96, temperature))


if __name__ == "__main__":
    main()
