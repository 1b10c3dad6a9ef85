"""Compares heed with ONNX Runtime on one real model, through the `heed run` command.

    python compare.py MODELDIR [--heed build/heed] [--batches 20] [--tolerance 1e-4]

Encoders get random batches with padded rows; a decoder gets prompts of several lengths, and one
with past tensors then goes on a token at a time, each side feeding its own presents back. Inputs
are recognised by their names and types, as a user of any exported model would. The default
tolerance is 1e-3 for a model with an output called logits and 1e-4 for others; beyond it the exit
code is 1.

Nothing reads what a decoder computes at padded positions, and there the model amplifies rounding:
ONNX Runtime with and without its optimiser differs from itself by 4e-3 on SmolLM2. Those positions
are counted apart, with a limit 100 times as wide.
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

Arrays = dict[str, np.ndarray]
Runs = Iterator[tuple[Arrays, Arrays, np.ndarray]]
STEPS = 4
PADDING_SLACK = 100
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
    """Differences seen so far: at real positions and at padded ones."""

    largest: float = 0.0
    padded: float = 0.0
    runs: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(
        self, name: str, ours: np.ndarray | None, theirs: np.ndarray, mask: np.ndarray
    ) -> None:
        """Counts one output; a missing one, other shape, other dtype, or NaN is wrong."""
        if ours is None:
            self.wrong.append(f"{name}: heed gave no such output")
        elif ours.shape != theirs.shape or ours.dtype != theirs.dtype:
            seen = f"{ours.dtype}{ours.shape}, expected {theirs.dtype}{theirs.shape}"
            self.wrong.append(f"{name}: {seen}")
        elif theirs.size:
            error = differences(ours, theirs)
            if np.isnan(error).any():
                self.wrong.append(f"{name}: NaN on one side only")
            real = positions(mask, theirs)
            self.largest = max(self.largest, float((error * real).max()))
            self.padded = max(self.padded, float((error * ~real).max()))


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


def encoder_runs(peer: Peer, heed: Heed, args: argparse.Namespace) -> Runs:
    """Outputs of heed and of ONNX Runtime for each batch; padding counts like the rest."""
    rng = np.random.default_rng(args.seed)
    for _ in range(args.batches):
        feeds = encoder_feeds(peer, rng, args.vocab)
        yield heed.run(feeds), peer.run(feeds), np.ones_like(feeds["input_ids"])


def decoder_runs(peer: Peer, heed: Heed, args: argparse.Namespace) -> Runs:
    """A prompt for each batch, and STEPS single tokens after it where the model has a past."""
    rng = np.random.default_rng(args.seed)
    for i in range(args.batches):
        batch, seq = int(rng.integers(1, 4)), int([1, 2, 7, 16, 33, 64][i % 6])
        mask = mask_of(rng, batch, seq, left=True)
        ids = rng.integers(0, args.vocab, (batch, seq))
        pasts = [past_of(peer, batch)] * 2
        for _ in range(1 + (STEPS if pasts[0] else 0)):
            feeds = [decoder_feeds(peer, ids, mask, past) for past in pasts]
            ours, theirs = heed.run(feeds[0]), peer.run(feeds[1])
            yield ours, theirs, mask
            if not pasts[0] or any(name not in ours for name in peer.outputs):
                break
            pasts = [next_past(peer, side, pasts[0]) for side in (ours, theirs)]
            ids = rng.integers(0, args.vocab, (batch, 1))
            mask = np.concatenate([mask, np.ones((batch, 1), np.int64)], axis=1)


def arguments() -> argparse.Namespace:
    """The command line; what it does not know is handed to `heed run`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modeldir", type=Path)
    parser.add_argument("--heed", default=str(HERE.parents[1] / "build" / "heed"))
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--tolerance", type=float)
    parser.add_argument("--vocab", type=int, default=0, help="0: what the logits or 30522 say")
    parser.add_argument("--seed", type=int, default=7)
    args, args.flags = parser.parse_known_args()
    return args


def main() -> int:
    """Runs the comparison and prints its one line."""
    args = arguments()
    model = args.modeldir / "model.onnx"
    peer, heed = Peer(model), Heed(args.heed, model, args.flags)
    decoder = "logits" in peer.outputs
    width = peer.session.get_outputs()[0].shape[-1] if decoder else 30522
    args.vocab = args.vocab or int(width)
    tolerance = args.tolerance or (1e-3 if decoder else 1e-4)
    tally = Tally()
    for ours, theirs, mask in (decoder_runs if decoder else encoder_runs)(peer, heed, args):
        tally.runs += 1
        for name, value in theirs.items():
            tally.add(name, ours.get(name), value, mask)
        if tally.wrong:
            break
    good = not tally.wrong and tally.largest <= tolerance
    good = good and tally.padded <= tolerance * PADDING_SLACK
    for line in tally.wrong:
        print(line)
    print(
        f"{args.modeldir.name}: {'ok' if good else 'FAILED'}, max abs difference "
        f"{tally.largest:.3g} (limit {tolerance:g}) in {tally.runs} runs; "
        f"at padding {tally.padded:.3g}"
    )
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
