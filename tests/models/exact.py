"""A model in float64: what float32 programs are measured by.

Every float32 constant, input, output and conversion of a graph becomes float64; the weights' values
stay as they are. Separate because it knows graphs, and compare.py knows how models are fed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, numpy_helper


def widen_tensor(tensor: TensorProto) -> None:
    """A float32 tensor becomes float64; others stay."""
    if tensor.data_type == TensorProto.FLOAT:
        array = numpy_helper.to_array(tensor).astype(np.float64)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def widen_node(node: NodeProto) -> None:
    """Constants, nested graphs, and the type that a Cast gives."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.TENSOR:
            widen_tensor(attribute.t)
        elif attribute.type == AttributeProto.GRAPH:
            widen_graph(attribute.g)
        elif attribute.name == "to" and attribute.i == TensorProto.FLOAT:
            attribute.i = TensorProto.DOUBLE


def widen_graph(graph: GraphProto) -> None:
    """The whole graph; notes on the types of inner values are dropped."""
    for tensor in graph.initializer:
        widen_tensor(tensor)
    for value in [*graph.input, *graph.output]:
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    del graph.value_info[:]
    for node in graph.node:
        widen_node(node)


def write_exact(model: Path, folder: Path) -> Path:
    """Writes a model in float64 into `folder`, weights beside it, and returns its path."""
    wide = onnx.load(model)
    for function in wide.functions:
        for node in function.node:
            widen_node(node)
    widen_graph(wide.graph)
    path = folder / "exact.onnx"
    onnx.save(wide, path, save_as_external_data=True, location="exact.data")
    return path
