"""Exports the trained model twice, over one shared weights file, and writes the golden tokens.

    python export.py --from build/verse

verse.onnx       input_ids [batch, seq] -> logits [batch, seq, vocab]
verse-past.onnx  input_ids, attention_mask, position_ids, past_key_values.{i}.{key,value}
                 -> logits, present.{i}.{key,value}; names and shapes as Optimum gives them
verse.weights    the weights of both, as external data
golden.json      greedy continuations from PyTorch

Both exports are then run in ONNX Runtime, which must give the golden tokens too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto
from onnx.external_data_helper import set_external_data
from tokenizers import Tokenizer
from torch import Tensor, nn

from model import Cache, Config, Verse

HERE = Path(__file__).resolve().parent
WEIGHTS = "verse.weights"
OPSET = 18
ALIGNMENT = 64
INLINE_BELOW = 256
PROMPTS = ["And I saw", "My beloved", "Then Jesus said unto them,"]
NEW_TOKENS = 64


class NoCache(nn.Module):
    """input_ids -> logits."""

    def __init__(self, verse: Verse) -> None:
        super().__init__()
        self.verse = verse

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.verse(input_ids)[0]


class WithPast(nn.Module):
    """The decoder with a cache in and out; padding comes as an attention mask."""

    def __init__(self, verse: Verse) -> None:
        super().__init__()
        self.verse = verse

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor, past: Cache
    ) -> tuple[Tensor, Cache]:
        length = past[0][0].shape[2]
        keys = torch.arange(length + input_ids.shape[1])
        queries = torch.arange(input_ids.shape[1]) + length
        causal = keys[None, :] <= queries[:, None]
        mask = causal[None, None] & attention_mask[:, None, None, :].bool()
        return self.verse(input_ids, position_ids, mask, past)


def past_names(kind: str, layers: int) -> list[str]:
    """past_key_values.0.key, past_key_values.0.value, past_key_values.1.key, ..."""
    return [f"{kind}.{i}.{part}" for i in range(layers) for part in ("key", "value")]


def export_no_cache(verse: Verse) -> onnx.ModelProto:
    """The graph of verse.onnx."""
    ids = torch.randint(verse.cfg.vocab, (2, 7))
    program = torch.onnx.export(
        NoCache(verse),
        (ids,),
        dynamo=True,
        opset_version=OPSET,
        input_names=["input_ids"],
        output_names=["logits"],
        dynamic_shapes=({0: "batch", 1: "seq"},),
    )
    return program.model_proto


def export_with_past(verse: Verse) -> onnx.ModelProto:
    """The graph of verse-past.onnx."""
    cfg, batch, past, seq = verse.cfg, 2, 5, 3
    pairs = torch.randn(cfg.layers, 2, batch, cfg.kv_heads, past, cfg.head_dim)
    cache = [(key.clone(), value.clone()) for key, value in pairs]
    ids = torch.randint(cfg.vocab, (batch, seq))
    mask = torch.ones(batch, past + seq, dtype=torch.int64)
    positions = torch.arange(past, past + seq).expand(batch, seq).contiguous()
    tokens = {0: "batch", 1: "seq"}
    cached = {0: "batch", 2: "past"}
    program = torch.onnx.export(
        WithPast(verse),
        (ids, mask, positions, cache),
        dynamo=True,
        opset_version=OPSET,
        input_names=[
            "input_ids",
            "attention_mask",
            "position_ids",
            *past_names("past_key_values", cfg.layers),
        ],
        output_names=["logits", *past_names("present", cfg.layers)],
        dynamic_shapes=(tokens, {0: "batch", 1: "total"}, tokens, [(cached, cached)] * cfg.layers),
    )
    model = program.model_proto
    name_total(model)
    return model


def name_total(model: onnx.ModelProto) -> None:
    """Writes the length of past and new tokens as a sum everywhere, as Optimum does."""
    for value in [*model.graph.input, *model.graph.output]:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in ("total", "seq + past"):
                dim.dim_param = "past + seq"


def strip(model: onnx.ModelProto) -> None:
    """Drops what only a debugger of the exporter reads: stack traces, module names, shapes."""
    del model.metadata_props[:]
    graph = model.graph
    del graph.value_info[:], graph.metadata_props[:]
    for item in [*graph.node, *graph.input, *graph.output, *graph.initializer]:
        del item.metadata_props[:]
        item.doc_string = ""


def share_weights(models: list[onnx.ModelProto], path: Path) -> None:
    """Moves the weights of all models to one file; equal ones are stored once."""
    offsets: dict[bytes, int] = {}
    with path.open("wb") as file:
        for tensor in (t for model in models for t in model.graph.initializer):
            data = onnx.numpy_helper.to_array(tensor).tobytes()
            if len(data) < INLINE_BELOW:
                continue
            key = hashlib.sha256(data).digest()
            if key not in offsets:
                file.write(b"\0" * (-file.tell() % ALIGNMENT))
                offsets[key] = file.tell()
                file.write(data)
            point_outside(tensor, data, offsets[key])


def point_outside(tensor: TensorProto, data: bytes, offset: int) -> None:
    """Makes a tensor refer to its bytes in the weights file."""
    tensor.raw_data = data
    set_external_data(tensor, WEIGHTS, offset, len(data))
    for field in ("raw_data", "float_data", "int64_data", "int32_data"):
        tensor.ClearField(field)


@torch.no_grad()
def greedy(verse: Verse, ids: list[int]) -> tuple[list[int], float]:
    """NEW_TOKENS greedy tokens, and the smallest lead that a chosen token had (in logits)."""
    ids, start, lead = list(ids), len(ids), float("inf")
    for _ in range(NEW_TOKENS):
        best = verse(torch.tensor([ids]))[0][0, -1].topk(2)
        lead = min(lead, float(best.values[0] - best.values[1]))
        ids.append(int(best.indices[0]))
    return ids[start:], lead


def golden(verse: Verse, tokenizer: Tokenizer) -> dict:
    """What golden.json holds."""
    cases = []
    for prompt in PROMPTS:
        ids = tokenizer.encode(prompt).ids
        tokens, lead = greedy(verse, ids)
        text = tokenizer.decode(ids + tokens, skip_special_tokens=False)
        case = {"prompt": prompt, "prompt_tokens": ids, "tokens": tokens, "text": text}
        cases.append(case | {"smallest_lead": round(lead, 4)})
    return {"producer": f"PyTorch {torch.__version__}, greedy", "cases": cases}


def write_golden(path: Path, record: dict) -> None:
    """Writes golden.json with a case on each line."""
    lines = ",\n".join(json.dumps(case) for case in record["cases"])
    producer = json.dumps(record["producer"])
    path.write_text(f'{{"producer": {producer}, "cases": [\n{lines}\n]}}\n')


def run_no_cache(session: ort.InferenceSession, ids: list[int]) -> list[int]:
    """Greedy tokens from verse.onnx: the whole prefix again for each token."""
    ids, start = list(ids), len(ids)
    for _ in range(NEW_TOKENS):
        logits = session.run(["logits"], {"input_ids": np.array([ids])})[0]
        ids.append(int(logits[0, -1].argmax()))
    return ids[start:]


def run_with_past(session: ort.InferenceSession, ids: list[int], cfg: Config) -> list[int]:
    """Greedy tokens from verse-past.onnx: the prompt, then one token at a time."""
    empty = np.zeros([1, cfg.kv_heads, 0, cfg.head_dim], np.float32)
    past = {name: empty for name in past_names("past_key_values", cfg.layers)}
    new, tokens, length = list(ids), [], 0
    for _ in range(NEW_TOKENS):
        length += len(new)
        feeds = {
            "input_ids": np.array([new]),
            "attention_mask": np.ones([1, length], np.int64),
            "position_ids": np.arange(length - len(new), length)[None],
        }
        logits, *presents = session.run(None, feeds | past)
        past = dict(zip(past, presents))
        new = [int(logits[0, -1].argmax())]
        tokens += new
    return tokens


@torch.no_grad()
def padded_difference(verse: Verse, session: ort.InferenceSession) -> float:
    """max |logits| difference to PyTorch for a batch with padding on the left and a past.

    Padded positions are left out: their queries see no key, and there PyTorch gives zero while
    the exporter's fill of -3.4e38 gives the mean of the values. Nobody reads either.
    """
    cfg, batch, past, seq = verse.cfg, 3, 6, 4
    mask = torch.ones(batch, past + seq, dtype=torch.int64)
    mask[1, :4] = mask[2, :8] = 0
    positions = (mask.cumsum(1) - 1).clamp(min=0)[:, past:]
    ids = torch.randint(cfg.vocab, (batch, seq))
    cache = torch.randn(cfg.layers * 2, batch, cfg.kv_heads, past, cfg.head_dim)
    pairs = [(cache[2 * i], cache[2 * i + 1]) for i in range(cfg.layers)]
    expected = WithPast(verse)(ids, mask, positions, pairs)[0].numpy()
    feeds = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
    feeds |= dict(zip(past_names("past_key_values", cfg.layers), cache))
    logits = session.run(["logits"], {name: t.numpy() for name, t in feeds.items()})[0]
    return float((np.abs(logits - expected) * mask[:, past:, None].numpy()).max())


def verify(folder: Path, cases: list[dict], verse: Verse) -> None:
    """Both files must give the golden tokens in ONNX Runtime, and padding must not disturb."""
    plain = ort.InferenceSession(folder / "verse.onnx")
    cached = ort.InferenceSession(folder / "verse-past.onnx")
    for case in cases:
        ids, tokens = case["prompt_tokens"], case["tokens"]
        assert run_no_cache(plain, ids) == tokens, case["prompt"]
        assert run_with_past(cached, ids, verse.cfg) == tokens, case["prompt"]
    difference = padded_difference(verse, cached)
    assert difference < 1e-4, difference
    print(f"ONNX Runtime {ort.__version__}: both exports give the golden tokens; ", end="")
    print(f"padded batch with a past: logits within {difference:.2g} of PyTorch")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, default=Path("build/verse"))
    parser.add_argument("--to", type=Path, default=HERE)
    return parser.parse_args()


def main() -> None:
    """Writes every file that the example ships."""
    args = arguments()
    verse = Verse().eval()
    verse.load_state_dict(torch.load(args.source / "verse.pt")["model"])
    args.to.mkdir(parents=True, exist_ok=True)
    models = [export_no_cache(verse), export_with_past(verse)]
    for model in models:
        strip(model)
    share_weights(models, args.to / WEIGHTS)
    for model, name in zip(models, ("verse.onnx", "verse-past.onnx")):
        onnx.save(model, args.to / name)
        onnx.checker.check_model(args.to / name)
    shutil.copyfile(args.source / "tokenizer.json", args.to / "tokenizer.json")
    record = golden(verse, Tokenizer.from_file(str(args.to / "tokenizer.json")))
    write_golden(args.to / "golden.json", record)
    for case in record["cases"]:
        print(f"--- {case['prompt']!r}, smallest lead {case['smallest_lead']}\n{case['text']}")
    verify(args.to, record["cases"], verse)


if __name__ == "__main__":
    main()
