"""Writes one decoder three times: with as many key heads as query heads, with some, with one.

All have the same random weights. The keys' and values' projections of fewer heads are the means of
those heads that become one, as Ainslie 2023 (arXiv 2305.13245) converts a checkpoint. The decoder
is of Llama's kind: RMS norms, rotary embedding, SwiGLU, no biases; ONNX opset 23."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


@dataclass
class Size:
    width: int = 1024
    heads: int = 16
    head: int = 64
    inner: int = 1024
    layers: int = 4
    vocabulary: int = 1024
    positions: int = 16384


class Writer:
    """Nodes and weights of a graph, with names that count."""

    def __init__(self, seed: int) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.random = np.random.default_rng(seed)

    def weight(self, value: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def drawn(self, *shape: int) -> np.ndarray:
        values = self.random.standard_normal(shape, dtype=np.float32)
        return values / np.float32(np.sqrt(shape[0]))

    def add(self, op: str, *inputs: str, **attributes: object) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def norm(self, x: str, width: int) -> str:
        return self.add("RMSNormalization", x, self.weight(np.ones(width, np.float32)), axis=-1)

    def linear(self, x: str, weight: np.ndarray) -> str:
        return self.add("MatMul", x, self.weight(weight))


def pooled(weight: np.ndarray, heads: int, to: int) -> np.ndarray:
    """[width, heads * head] to [width, to * head]: the mean of each group."""
    width = weight.shape[0]
    return weight.reshape(width, to, heads // to, -1).mean(axis=2).reshape(width, -1)


def rotary_tables(size: Size) -> tuple[np.ndarray, np.ndarray]:
    """cos and sin, [positions, head / 2]."""
    turns = 10000.0 ** (-np.arange(0, size.head, 2) / size.head)
    angles = np.arange(size.positions)[:, None] * turns
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def attention(w: Writer, x: str, size: Size, kv_heads: int, tables: tuple[str, str]) -> str:
    both = size.heads * size.head
    q, k, v = (w.drawn(size.width, both) for _ in range(3))
    k, v = (pooled(m, size.heads, kv_heads) for m in (k, v))
    turn = lambda m, heads: w.add(  # noqa: E731
        "RotaryEmbedding", w.linear(x, m), *tables, "position_ids", num_heads=heads
    )
    y = w.add(
        "Attention",
        turn(q, size.heads),
        turn(k, kv_heads),
        w.linear(x, v),
        q_num_heads=size.heads,
        kv_num_heads=kv_heads,
        is_causal=1,
    )
    return w.linear(y, w.drawn(both, size.width))


def gated(w: Writer, x: str, size: Size) -> str:
    gate, up = (w.linear(x, w.drawn(size.width, size.inner)) for _ in range(2))
    y = w.add("Mul", w.add("Mul", gate, w.add("Sigmoid", gate)), up)
    return w.linear(y, w.drawn(size.inner, size.width))


def write(path: pathlib.Path, size: Size, kv_heads: int, seed: int = 1) -> None:
    """A decoder without a cache: input_ids, position_ids int64 [1, seq] -> logits."""
    w = Writer(seed)
    tables = tuple(w.weight(table) for table in rotary_tables(size))
    x = w.add("Gather", w.weight(w.drawn(size.vocabulary, size.width)), "input_ids")
    for _ in range(size.layers):
        x = w.add("Add", x, attention(w, w.norm(x, size.width), size, kv_heads, tables))
        x = w.add("Add", x, gated(w, w.norm(x, size.width), size))
    w.linear(w.norm(x, size.width), w.drawn(size.width, size.vocabulary))
    w.nodes[-1].output[0] = "logits"
    given = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "seq"])
        for name in ("input_ids", "position_ids")
    ]
    shape = ["batch", "seq", size.vocabulary]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape)
    graph = helper.make_graph(w.nodes, "decoder", given, [logits], w.weights)
    opset = [helper.make_opsetid("", 23)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), path)
