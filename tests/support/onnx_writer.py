"""Writes small ONNX files with the standard library alone.

Field numbers are those of onnx.proto. Everything returns bytes of a message, so that a test can
also write what is wrong on purpose.

    x = value("x", FLOAT, ["batch", 3])
    model([node("Relu", ["x"], ["y"])], [x], [value("y", FLOAT, ["batch", 3])])
"""

from __future__ import annotations

import struct

FLOAT, UINT8, INT8, INT32, INT64, STRING, BOOL, FLOAT16, DOUBLE = 1, 2, 3, 6, 7, 8, 9, 10, 11
BFLOAT16 = 16
FORMATS = {FLOAT: "f", UINT8: "B", INT8: "b", INT32: "i", INT64: "q", BOOL: "?", DOUBLE: "d"}


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def data(field: int, value: bytes | str) -> bytes:
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def tensor(name: str, dtype: int, dims: list[int], values: list) -> bytes:
    """A TensorProto with raw_data, or string_data for strings."""
    out = b"".join(number(1, d) for d in dims) + number(2, dtype) + data(8, name)
    if dtype == STRING:
        return out + b"".join(data(6, v) for v in values)
    return out + data(9, struct.pack(f"<{len(values)}{FORMATS[dtype]}", *values))


def attribute(name: str, value: int | float | str | list[int] | bytes) -> bytes:
    """An AttributeProto; bytes are a tensor."""
    out = data(1, name)
    if isinstance(value, float):
        return out + varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, 1)
    if isinstance(value, int):
        return out + number(3, value) + number(20, 2)
    if isinstance(value, str):
        return out + data(4, value) + number(20, 3)
    if isinstance(value, bytes):
        return out + data(5, value) + number(20, 4)
    return out + b"".join(number(8, v) for v in value) + number(20, 7)


def node(
    op: str, inputs: list[str], outputs: list[str], domain: str = "", **attributes: object
) -> bytes:
    out = b"".join(data(1, i) for i in inputs) + b"".join(data(2, o) for o in outputs)
    out += data(3, f"{op}_{outputs[0]}") + data(4, op)
    out += b"".join(data(5, attribute(k, v)) for k, v in attributes.items())
    return out + (data(7, domain) if domain else b"")


def tensor_type(dtype: int, dims: list[int | str] | None) -> bytes:
    """A TypeProto; dims may be numbers, symbols, or missing altogether."""
    out = number(1, dtype)
    if dims is not None:
        each = (number(1, d) if isinstance(d, int) else data(2, d) for d in dims)
        out += data(2, b"".join(data(1, d) for d in each))
    return data(1, out)


def value(name: str, dtype: int, dims: list[int | str] | None) -> bytes:
    """A ValueInfoProto of a tensor."""
    return data(1, name) + data(2, tensor_type(dtype, dims))


def model(
    nodes: list[bytes],
    inputs: list[bytes],
    outputs: list[bytes],
    initializers: list[bytes] = (),
    opset: int = 18,
    domains: dict[str, int] | None = None,
) -> bytes:
    graph = b"".join(data(1, n) for n in nodes) + data(2, "graph")
    graph += b"".join(data(5, t) for t in initializers)
    graph += b"".join(data(11, v) for v in inputs) + b"".join(data(12, v) for v in outputs)
    opsets = {"": opset, **(domains or {})}
    imports = b"".join(data(8, data(1, d) + number(2, v)) for d, v in opsets.items())
    return number(1, 8) + data(2, "heed tests") + data(7, graph) + imports
