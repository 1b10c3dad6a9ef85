"""Compares heed with ONNX Runtime on one real model, through the `heed run` command.

    python compare.py MODELDIR [--heed build/heed] [--batches 20]

Encoders get random batches with padded rows. A decoder (an output is called logits) gets prompts of
several lengths, and one with past tensors then goes on a token at a time, each side feeding its own
presents back. Inputs are recognised by their names and types, as a user of any exported model
would. Beyond a limit the exit code is 1.

What an encoder computes may differ by 1e-4 from ONNX Runtime's float32. A decoder is so deep that
the difference of two float32 programs says more of rounding than of faults: at one token of 600
SmolLM2 makes 1e-3 or more of it, in ONNX Runtime with and without its optimiser too. So both are
measured by the same graph in float64 (exact.py), and heed passes where

- no number is farther off than 1e-3, the limit of whole models in float32, or than twice the
  largest error of ONNX Runtime, where that is more;
- the typical error is at most 1.25 times ONNX Runtime's: the geometric mean over all tokens of the
  ratio of both sides' largest errors, which does not hang on a single token.

Nothing reads what a decoder computes at padded positions, and there the model amplifies rounding
still more: they are counted apart, with a limit 100 times as wide.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime as ort

from exact import write_exact

Arrays = dict[str, np.ndarray]
Runs = Iterator[tuple[list[Arrays], np.ndarray]]
STEPS = 4
ENCODER, DECODER = 1e-4, 1e-3
PEER_SLACK, TYPICAL_SLACK, PADDING_SLACK = 2, 1.25, 100
HERE = Path(__file__).resolve().parent


class Peer:
    """ONNX Runtime on the model."""

    def __init__(self, model: Path) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = 3
        self.session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.inputs = {value.name: value for value in self.session.get_inputs()}
        self.outputs = [value.name for value in self.session.get_outputs()]

    def run(self, feeds: Arrays) -> Arrays:
        return dict(zip(self.outputs, self.session.run(self.outputs, feeds)))


class Exact(Peer):
    """The same graph in float64; what it gives goes back into it as it is."""

    def run(self, feeds: Arrays) -> Arrays:
        wide = {n: a.astype(np.float64) if a.dtype == np.float32 else a for n, a in feeds.items()}
        return super().run(wide)


class Heed:
    """The heed command on the model: every run is a process of its own."""

    def __init__(self, command: str, model: Path, flags: list[str]) -> None:
        self.command, self.model, self.flags = command, model, flags

    def run(self, feeds: Arrays) -> Arrays:
        with tempfile.TemporaryDirectory() as folder:
            files = [self.write(folder, i, array) for i, array in enumerate(feeds.values())]
            inputs = [f"{name}=@{file}" for name, file in zip(feeds, files)]
            output = Path(folder) / "out.npz"
            command = [self.command, "run", self.model, *inputs, *self.flags, "--output", output]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                raise SystemExit(f"heed run: exit code {done.returncode}\n{done.stderr.strip()}")
            with np.load(output) as arrays:
                return {name: arrays[name] for name in arrays.files}

    @staticmethod
    def write(folder: str, number: int, array: np.ndarray) -> Path:
        """Saves an input as .npy; files are numbered, since a name may hold any character."""
        path = Path(folder) / f"{number}.npy"
        np.save(path, array)
        return path


@dataclass
class Tally:
    """Distances of one side from the truth so far: at real positions and at padded ones."""

    largest: float = 0.0
    padded: float = 0.0
    tokens: list[np.ndarray] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, outputs: Arrays, truth: Arrays, mask: np.ndarray) -> None:
        """Counts the outputs of a run."""
        for name, value in truth.items():
            got = outputs.get(name)
            if got is None:
                self.wrong.append(f"{name}: no such output")
            elif got.shape != value.shape or got.dtype not in (value.dtype, np.float32):
                seen = f"{got.dtype}{got.shape}, expected {value.dtype}{value.shape}"
                self.wrong.append(f"{name}: {seen}")
            elif value.size:
                self.add_errors(name, differences(got, value), positions(mask, value))

    def add_errors(self, name: str, error: np.ndarray, real: np.ndarray) -> None:
        """Counts one output; NaN on one side only is wrong."""
        if np.isnan(error).any():
            self.wrong.append(f"{name}: NaN on one side only")
        self.largest = max(self.largest, float((error * real).max()))
        self.padded = max(self.padded, float((error * ~real).max()))
        if name == "logits":
            self.tokens.append(error.max(axis=-1)[real[..., 0]])

    def typical(self, other: Tally) -> float:
        """The geometric mean over tokens of this side's largest error by the other's."""
        ours, theirs = np.concatenate(self.tokens), np.concatenate(other.tokens)
        return float(np.exp(np.mean(np.log(np.maximum(ours, 1e-9) / np.maximum(theirs, 1e-9)))))


def differences(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """|ours - theirs|; places where both hold the same infinity or NaN differ by 0."""
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    return np.abs(np.where(same, 0.0, ours) - np.where(same, 0.0, theirs))


def positions(mask: np.ndarray, output: np.ndarray) -> np.ndarray:
    """The mask [batch, total] spread over an output [batch, seq, n] or [batch, heads, total, n]."""
    if output.ndim == 4:
        return mask[:, None, :, None] != 0
    if output.ndim == 3:
        return mask[:, -output.shape[1] :, None] != 0
    return np.ones_like(output, bool)


def mask_of(rng: np.random.Generator, batch: int, seq: int, left: bool) -> np.ndarray:
    """A padding mask [batch, seq]: row 0 is full, others have 1 to seq real tokens."""
    lengths = rng.integers(1, seq + 1, batch)
    lengths[0] = seq
    mask = np.arange(seq)[None] < lengths[:, None]
    return (mask[:, ::-1] if left else mask).astype(np.int64)


def past_of(peer: Peer, batch: int) -> Arrays:
    """Empty past tensors: every symbolic dim after the batch is a length, which is 0."""
    empty: Arrays = {}
    for name, value in peer.inputs.items():
        if name.startswith("past"):
            dims = [d if isinstance(d, int) else 0 for d in value.shape]
            empty[name] = np.zeros([batch, *dims[1:]], np.float32)
    return empty


def encoder_feeds(peer: Peer, rng: np.random.Generator, vocab: int) -> Arrays:
    """One random batch: up to 8 rows of up to 128 tokens, padded on the right."""
    batch, seq = int(rng.integers(1, 9)), int(rng.integers(2, 129))
    mask = mask_of(rng, batch, seq, left=False)
    made = {
        "input_ids": rng.integers(1, vocab, (batch, seq)) * mask,
        "attention_mask": mask,
        "token_type_ids": rng.integers(0, 2, (batch, seq)),
    }
    return {name: made[name] for name in peer.inputs}


def decoder_feeds(peer: Peer, ids: np.ndarray, mask: np.ndarray, past: Arrays) -> Arrays:
    """The feeds of one decoder call: `ids` are the newest tokens, `mask` covers all of them."""
    positions = np.maximum(np.cumsum(mask, axis=1) - 1, 0)[:, -ids.shape[1] :]
    made = {"input_ids": ids, "attention_mask": mask, "position_ids": positions, **past}
    return {name: made[name] for name in peer.inputs}


def next_past(peer: Peer, outputs: Arrays, past: Arrays) -> Arrays:
    """The presents of a call as the pasts of the next; they pair by their order in the model."""
    names = [name for name in peer.outputs if name.startswith("present")]
    return {past_name: outputs[name] for past_name, name in zip(past, names, strict=True)}


def encoder_runs(sides: list[Heed | Peer], peer: Peer, args: argparse.Namespace) -> Runs:
    """Outputs of each side for each batch; padding counts like the rest."""
    rng = np.random.default_rng(args.seed)
    for _ in range(args.batches):
        feeds = encoder_feeds(peer, rng, args.vocab)
        yield [side.run(feeds) for side in sides], np.ones_like(feeds["input_ids"])


def decoder_runs(sides: list[Heed | Peer], peer: Peer, args: argparse.Namespace) -> Runs:
    """A prompt for each batch, and STEPS single tokens after it where the model has a past."""
    rng = np.random.default_rng(args.seed)
    for i in range(args.batches):
        batch, seq = int(rng.integers(1, 4)), int([1, 2, 7, 16, 33, 64][i % 6])
        mask = mask_of(rng, batch, seq, left=True)
        ids = rng.integers(0, args.vocab, (batch, seq))
        pasts = [past_of(peer, batch)] * len(sides)
        for _ in range(1 + (STEPS if pasts[0] else 0)):
            feeds = [decoder_feeds(peer, ids, mask, past) for past in pasts]
            outputs = [side.run(one) for side, one in zip(sides, feeds)]
            yield outputs, mask
            if not pasts[0] or any(name not in side for side in outputs for name in peer.outputs):
                break
            pasts = [next_past(peer, side, pasts[0]) for side in outputs]
            ids = rng.integers(0, args.vocab, (batch, 1))
            mask = np.concatenate([mask, np.ones((batch, 1), np.int64)], axis=1)


def arguments() -> argparse.Namespace:
    """The command line; what it does not know is handed to `heed run`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modeldir", type=Path)
    parser.add_argument("--heed", default=str(HERE.parents[1] / "build" / "heed"))
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--vocab", type=int, default=0, help="0: what the logits or 30522 say")
    parser.add_argument("--seed", type=int, default=7)
    args, args.flags = parser.parse_known_args()
    return args


def encoder(peer: Peer, heed: Heed, args: argparse.Namespace) -> tuple[bool, list[str]]:
    """Whether an encoder is right, and what to print."""
    tally, runs = Tally(), 0
    for (ours, theirs), mask in encoder_runs([heed, peer], peer, args):
        tally.add(ours, theirs, mask)
        runs += 1
    return not tally.wrong and tally.largest <= ENCODER, [
        *tally.wrong,
        f"max abs difference {tally.largest:.3g} (limit {ENCODER:g}) in {runs} runs",
    ]


def decoder(peer: Peer, heed: Heed, args: argparse.Namespace) -> tuple[bool, list[str]]:
    """Whether a decoder is right, and what to print."""
    ours, theirs, runs = Tally(), Tally(), 0
    with tempfile.TemporaryDirectory() as folder:
        exact = Exact(write_exact(args.modeldir / "model.onnx", Path(folder)))
    for outputs, mask in decoder_runs([heed, peer, exact], peer, args):
        ours.add(outputs[0], outputs[2], mask)
        theirs.add(outputs[1], outputs[2], mask)
        runs += 1
    if ours.wrong or theirs.wrong:
        return False, [*ours.wrong, *(f"ONNX Runtime: {line}" for line in theirs.wrong)]
    limit = max(DECODER, PEER_SLACK * theirs.largest)
    typical = ours.typical(theirs)
    good = ours.largest <= limit and ours.padded <= PADDING_SLACK * limit
    return good and typical <= TYPICAL_SLACK, [
        f"largest error against float64 {ours.largest:.3g} (limit {limit:.3g}; ONNX Runtime "
        f"{theirs.largest:.3g}) in {runs} runs, typical error {typical:.3g} times ONNX Runtime's "
        f"(limit {TYPICAL_SLACK:g}); at padding {ours.padded:.3g} and {theirs.padded:.3g}",
    ]


def main() -> int:
    """Runs the comparison and prints its line."""
    args = arguments()
    model = args.modeldir / "model.onnx"
    peer, heed = Peer(model), Heed(args.heed, model, args.flags)
    deep = "logits" in peer.outputs
    width = peer.session.get_outputs()[0].shape[-1] if deep else 30522
    args.vocab = args.vocab or int(width)
    good, lines = (decoder if deep else encoder)(peer, heed, args)
    print(f"{args.modeldir.name}: {'ok' if good else 'FAILED'}, " + "\n".join(lines))
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
