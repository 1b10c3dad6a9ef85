"""The list of malformed models, and the pieces that the case files build them from.

A case is a function that returns the bytes of model.onnx, or writes into the folder that it is
given (external data) and returns them. Its name is the case's name; its docstring says what is
wrong. The files wire.py, tensors.py, graphs.py and external.py hold the cases.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Callable

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
sys.dont_write_bytecode = True

import onnx_writer as w  # noqa: E402

CASES: dict[str, Callable[[Path], bytes]] = {}
WHAT: dict[str, str] = {}


def case(function: Callable) -> Callable:
    """Registers a case; one that needs no folder takes no argument."""
    takes_folder = function.__code__.co_argcount == 1
    assert function.__name__ not in CASES and function.__doc__
    WHAT[function.__name__] = function.__doc__
    CASES[function.__name__] = function if takes_folder else lambda _: function()
    return function


X = w.value("x", w.FLOAT, [2, 2])
Y = w.value("y", w.FLOAT, [2, 2])


def with_nodes(*nodes: bytes, initializers: list[bytes] = (), opset: int = 18, **more) -> bytes:
    """A model from x [2,2] to y with these nodes."""
    return w.model(list(nodes), [X], [Y], list(initializers), opset, **more)


def with_weight(weight: bytes) -> bytes:
    """y = x + w, where w is the TensorProto given."""
    return with_nodes(w.node("Add", ["x", "w"], ["y"]), initializers=[weight])


def with_input(dims: list, node: bytes, initializers: list[bytes] = (), opset: int = 18) -> bytes:
    """One node from x of these dims to y of any shape."""
    return w.model([node], [w.value("x", w.FLOAT, dims)], [w.value("y", w.FLOAT, None)],
                   list(initializers), opset)


def header(dims: list[int], dtype: int = w.FLOAT, name: str = "w") -> bytes:
    """A TensorProto without data."""
    return b"".join(w.number(1, d) for d in dims) + w.number(2, dtype) + w.data(8, name)


def graph_attribute(name: str, graph: bytes) -> bytes:
    return w.data(1, name) + w.data(6, graph) + w.number(20, 5)


def graph(nodes: list[bytes], outputs: list[bytes]) -> bytes:
    return (b"".join(w.data(1, n) for n in nodes) + w.data(2, "g") +
            b"".join(w.data(12, o) for o in outputs))


def function(name: str, inputs: list[str], outputs: list[str], nodes: list[bytes]) -> bytes:
    return (w.data(1, name) + w.data(10, "local") + b"".join(w.data(4, i) for i in inputs) +
            b"".join(w.data(5, o) for o in outputs) + b"".join(w.data(7, n) for n in nodes) +
            w.data(9, w.data(1, "") + w.number(2, 18)))


def with_functions(functions: list[bytes], *nodes: bytes) -> bytes:
    return with_nodes(*nodes, domains={"local": 1}) + b"".join(w.data(25, f) for f in functions)


GOOD = with_nodes(w.node("Relu", ["x"], ["y"]))
