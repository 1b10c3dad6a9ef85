"""Ways of computing one attention: heed with attention on and off, ONNX Runtime as an unfused graph
and with each of its attention operators, PyTorch. All start from the same arrays of one type; what
a way wants in another layout is laid out beforehand, and is not timed."""

from __future__ import annotations

import pathlib
import sys
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

try:
    from ml_dtypes import bfloat16
except ImportError:  # it comes with onnx
    bfloat16 = np.float32

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "peers"))
from heed_ctypes import Library  # noqa: E402

LOWEST = float(np.finfo(np.float32).min)
TYPES = {"f32": np.float32, "bf16": bfloat16, "f16": np.float16}
KINDS = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.float16): TensorProto.FLOAT16,
    np.dtype(np.bool_): TensorProto.BOOL,
    np.dtype(np.int32): TensorProto.INT32,
}
KINDS.setdefault(np.dtype(bfloat16), TensorProto.BFLOAT16)


@dataclass(frozen=True)
class Shape:
    """One entry of the list. kind: full, causal, or padded (each sequence is shorter); dtype: a key
    of TYPES."""

    batch: int
    heads: int
    kv_heads: int
    queries: int
    keys: int
    size: int
    kind: str
    dtype: str = "f32"

    def __str__(self) -> str:
        """As the table prints it."""
        return (
            f"B {self.batch:2}  H {self.heads:2}/{self.kv_heads:<2}  S {self.queries:4} x "
            f"{self.keys:4}  D {self.size:3}  {self.kind:6} {self.dtype:4}"
        )

    @property
    def flops(self) -> float:
        """Two products over the scores; half of them where causality hides half."""
        scores = float(self.batch * self.heads) * self.queries * self.keys
        return 4 * scores * self.size / (2 if self.kind == "causal" else 1)

    def lengths(self) -> np.ndarray:
        """Keys of each sequence that are no padding."""
        steps = (np.arange(self.batch) + 1) * self.keys // 8 % self.keys
        return (self.keys - steps).astype(np.int32)

    def visible(self) -> np.ndarray:
        """[B, 1, 1 or S, Skv]."""
        key = np.arange(self.keys)
        if self.kind == "causal":
            return (key <= np.arange(self.queries)[:, None])[None, None]
        return (key < self.lengths()[:, None])[:, None, None]


def aligned(x: np.ndarray) -> np.ndarray:
    """A copy that begins at a line of the caches, as buffers of all runtimes do; what numpy
    allocates begins anywhere, and every vector of it may lie in two lines."""
    line = 64
    room = np.empty(x.nbytes + line, np.uint8)
    begin = -room.ctypes.data % line
    copy = room[begin : begin + x.nbytes].view(x.dtype).reshape(x.shape)
    copy[...] = x
    return copy


def operands(shape: Shape) -> list[np.ndarray]:
    """q, k, v as [B, H, S, D]."""
    rng = np.random.default_rng(0)
    dims = [
        (shape.batch, heads, length, shape.size)
        for heads, length in (
            (shape.heads, shape.queries),
            (shape.kv_heads, shape.keys),
            (shape.kv_heads, shape.keys),
        )
    ]
    return [aligned(rng.standard_normal(d, np.float32).astype(TYPES[shape.dtype])) for d in dims]


def model(nodes: list, feeds: dict, rank: int = 4, constants: dict | None = None) -> bytes:
    """A graph from the feeds to y."""
    inputs = [
        helper.make_tensor_value_info(name, KINDS[array.dtype], array.shape)
        for name, array in feeds.items()
    ]
    y = helper.make_tensor_value_info("y", KINDS[feeds["q"].dtype], [None] * rank)
    known = [onnx.numpy_helper.from_array(x, name) for name, x in (constants or {}).items()]
    graph = helper.make_graph(nodes, "attention", inputs, [y], known)
    opsets = [helper.make_opsetid("", 23), helper.make_opsetid("com.microsoft", 1)]
    made = helper.make_model(graph, opset_imports=opsets)
    made.ir_version = 10
    return made.SerializeToString()


# ---- Graphs --------------------------------------------------------------------------------------


def standard(shape: Shape, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> tuple[bytes, dict]:
    """The operator of the ONNX standard."""
    feeds = {"q": q, "k": k, "v": v}
    if shape.kind == "padded":
        feeds["mask"] = np.broadcast_to(
            shape.visible(), (shape.batch, 1, shape.queries, shape.keys)
        ).copy()
    causal = int(shape.kind == "causal")
    node = helper.make_node("Attention", list(feeds), ["y"], is_causal=causal)
    return model([node], feeds), feeds


def unfused(shape: Shape, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> tuple[bytes, dict]:
    """MatMul, Add, Softmax, MatMul: keys lie turned already, heads of a group are stacked."""
    b, g, s, t = shape.batch, shape.kv_heads, shape.queries, shape.keys
    rows = shape.heads // g * s
    scaled = (q / np.sqrt(np.float32(shape.size))).reshape(b, g, rows, shape.size)
    feeds = {"q": scaled, "k": np.ascontiguousarray(k.swapaxes(2, 3)), "v": v}
    constants = {
        "apart": np.array([b, shape.heads, s, t], np.int64),
        "grouped": np.array([b, g, rows, t], np.int64),
        "whole": np.array([b, shape.heads, s, shape.size], np.int64),
    }
    nodes = [helper.make_node("MatMul", ["q", "k"], ["scores"])]
    last = "scores"
    if shape.kind != "full":
        bias = np.where(shape.visible(), np.float32(0), np.float32(LOWEST))
        feeds["bias"] = bias.astype(np.float32)
        nodes += [
            helper.make_node("Reshape", [last, "apart"], ["apart_scores"]),
            helper.make_node("Add", ["apart_scores", "bias"], ["masked"]),
            helper.make_node("Reshape", ["masked", "grouped"], ["grouped_scores"]),
        ]
        last = "grouped_scores"
    nodes += [
        helper.make_node("Softmax", [last], ["weights"], axis=-1),
        helper.make_node("MatMul", ["weights", "v"], ["grouped_y"]),
        helper.make_node("Reshape", ["grouped_y", "whole"], ["y"]),
    ]
    return model(nodes, feeds, constants=constants), feeds


def packed(x: np.ndarray) -> np.ndarray:
    """[B, H, S, D] as [B, S, H D]."""
    return np.ascontiguousarray(x.swapaxes(1, 2)).reshape(x.shape[0], x.shape[2], -1)


def multi_head(shape: Shape, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> tuple[bytes, dict]:
    """com.microsoft MultiHeadAttention, for as many key heads as heads."""
    feeds = {"q": packed(q), "k": packed(k), "v": packed(v)}
    names = list(feeds)
    if shape.kind == "padded":
        feeds["lengths"] = shape.lengths()
        names += ["", "lengths"]
    node = helper.make_node(
        "MultiHeadAttention",
        names,
        ["y"],
        domain="com.microsoft",
        num_heads=shape.heads,
        unidirectional=int(shape.kind == "causal"),
    )
    return model([node], feeds, 3), feeds


def group_query(shape: Shape, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> tuple[bytes, dict]:
    """com.microsoft GroupQueryAttention, which is causal."""
    feeds = {"q": packed(q), "k": packed(k), "v": packed(v)}
    constants = {
        "last": np.full(shape.batch, shape.keys - 1, np.int32),
        "total": np.array(shape.keys, np.int32),
    }
    node = helper.make_node(
        "GroupQueryAttention",
        ["q", "k", "v", "", "", "last", "total"],
        ["y", "kept_k", "kept_v"],
        domain="com.microsoft",
        num_heads=shape.heads,
        kv_num_heads=shape.kv_heads,
    )
    return model([node], feeds, 3, constants), feeds


# ---- Runners -------------------------------------------------------------------------------------


class Heed:
    """heed in this process; `attention` is its option of that name."""

    def __init__(self, library: Library, made: tuple[bytes, dict], attention: str, folder) -> None:
        path = pathlib.Path(folder) / "attention.onnx"
        path.write_bytes(made[0])
        self.session = library.open(path, attention=attention)
        self.call = self.session.bind(made[1], ["y"])
        self.run = self.call.run

    def result(self) -> np.ndarray:
        """What the last run gave."""
        return self.call.fetch(0).astype(np.float32)

    def free(self) -> None:
        """Gives the session back."""
        self.call.free()
        self.session.free()


class Ort:
    """ONNX Runtime on the CPU."""

    def __init__(self, made: tuple[bytes, dict], threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        self.session = onnxruntime.InferenceSession(
            made[0], options, providers=["CPUExecutionProvider"]
        )
        self.binding = self.session.io_binding()
        self.kept = [onnxruntime.OrtValue.ortvalue_from_numpy(x) for x in made[1].values()]
        for name, value in zip(made[1], self.kept):
            self.binding.bind_ortvalue_input(name, value)
        self.binding.bind_output("y")

    def run(self) -> None:
        """One run, without copies of inputs."""
        self.session.run_with_iobinding(self.binding)

    def result(self) -> np.ndarray:
        """What the last run gave."""
        return self.binding.get_outputs()[0].numpy().astype(np.float32)

    def free(self) -> None:
        """Nothing to give back."""


class Torch:
    """scaled_dot_product_attention."""

    def __init__(self, shape: Shape, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> None:
        import torch

        self.torch = torch
        if q.dtype == bfloat16 and q.itemsize == 2:
            raw = [torch.from_numpy(x.view(np.int16)) for x in (q, k, v)]
            self.arrays = [x.view(torch.bfloat16) for x in raw]
        else:
            self.arrays = [torch.from_numpy(x) for x in (q, k, v)]
        self.options = {"is_causal": shape.kind == "causal"}
        if shape.kind == "padded":
            self.options["attn_mask"] = torch.from_numpy(shape.visible())
        if shape.heads != shape.kv_heads:
            self.options["enable_gqa"] = True
        self.y = None

    def run(self) -> None:
        """One run."""
        with self.torch.inference_mode():
            attend = self.torch.nn.functional.scaled_dot_product_attention
            self.y = attend(*self.arrays, **self.options)

    def result(self) -> np.ndarray:
        """What the last run gave."""
        return self.y.float().numpy()

    def free(self) -> None:
        """Nothing to give back."""


def peers(shape: Shape, threads: int) -> dict:
    """Name to a function that makes the way, for those that have this shape."""
    arrays = operands(shape)
    if shape.dtype == "bf16":  # ONNX Runtime has no attention of it on the CPU
        return {"torch": lambda: Torch(shape, *arrays)}
    made = {
        "ort unfused": lambda: Ort(unfused(shape, *arrays), threads),
        "ort Attention": lambda: Ort(standard(shape, *arrays), threads),
        "torch": lambda: Torch(shape, *arrays),
    }
    if shape.heads == shape.kv_heads:
        made["ort MultiHeadAttention"] = lambda: Ort(multi_head(shape, *arrays), threads)
    if shape.kind == "causal":
        made["ort GroupQueryAttention"] = lambda: Ort(group_query(shape, *arrays), threads)
    return made


def heeds(library: Library, shape: Shape, folder) -> dict:
    """heed as it is, with its attention operators forbidden, and in float32."""
    arrays = operands(shape)
    made = standard(shape, *arrays)
    ways = {
        "heed": lambda: Heed(library, made, "auto", folder),
        "off": lambda: Heed(library, made, "off", folder),
    }
    if shape.dtype != "f32":
        wide = standard(shape, *(x.astype(np.float32) for x in arrays))
        ways["float32"] = lambda: Heed(library, wide, "auto", folder)
    return ways
