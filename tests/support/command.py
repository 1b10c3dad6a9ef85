"""What tests of the command share: calling it, small models, and NumPy's files without NumPy.

A test is a function test_NAME of its module; `main` runs them all and counts.
"""

from __future__ import annotations

import ast
import atexit
import io
import json
import math
import os
import shutil
import struct
import subprocess
import tempfile
import traceback
import zipfile
from pathlib import Path

from onnx_writer import BOOL, FLOAT, INT8, INT64, data, model, node, number, tensor, value

ROOT = Path(__file__).resolve().parents[2]
HEED = Path(os.environ.get("HEED_BUILD", ROOT / "build")) / "heed"
FOLDER = Path(tempfile.mkdtemp(prefix="heed-cli-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


# ---- Models and files ---------------------------------------------------------------------------


def write(name: str, content: bytes) -> Path:
    path = FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def linear() -> bytes:
    """y[batch,seq,2] = x[batch,seq,3] * w"""
    w = tensor("w", FLOAT, [3, 2], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    x = value("x", FLOAT, ["batch", "seq", 3])
    return model([node("MatMul", ["x", "w"], ["y"])], [x], [value("y", FLOAT, None)], [w])


def decoder() -> bytes:
    """Ids, a mask over past and present, and a past: the shapes of a decoder, little arithmetic."""
    inputs = [
        value("ids", INT64, ["batch", "seq"]),
        value("mask", INT64, ["batch", "past + seq"]),
        value("cache", FLOAT, ["batch", 2, "past", 4]),
    ]
    nodes = [
        node("Identity", ["ids"], ["ids_out"]),
        node("Identity", ["mask"], ["mask_out"]),
        node("Identity", ["cache"], ["cache_out"]),
    ]
    outputs = [value(n, t, None) for n, t in
               (("ids_out", INT64), ("mask_out", INT64), ("cache_out", FLOAT))]
    return model(nodes, inputs, outputs)


def tiny_decoder(positions: int, rows: str = "floats", head: bool = True) -> bytes:
    """One head of attention, 11 tokens, and a table of so many positions. The table of tokens has
    floats, or 8-bit numbers that are "widened", "multiplied", or widened "late", after the row was
    looked up. Without a head it gives hidden states."""
    width, words, scale = 4, 11, 1 / 64

    def ints(count: int, start: int) -> list[int]:
        return [round(64 * math.sin(start + 3 * i)) for i in range(count)]

    def table(name: str, n: int, columns: int) -> bytes:
        return tensor(name, FLOAT, [n, columns], [scale * x for x in ints(n * columns, n)])

    inits = [table("places", positions, width), table("head", width, words),
             tensor("zero", INT64, [], [0]), tensor("one", INT64, [], [1]),
             tensor("scale", FLOAT, [], [scale])]
    inits.append(table("table", words, width) if rows == "floats" else
                 tensor("table", INT8, [words, width], ints(words * width, words)))
    nodes = {
        "floats": [node("Gather", ["table", "ids"], ["words"])],
        "widened": [node("DequantizeLinear", ["table", "scale"], ["wide"]),
                    node("Gather", ["wide", "ids"], ["words"])],
        "multiplied": [node("Cast", ["table"], ["cast"], to=FLOAT),
                       node("Mul", ["cast", "scale"], ["wide"]),
                       node("Gather", ["wide", "ids"], ["words"])],
        "late": [node("Gather", ["table", "ids"], ["row"]),
                 node("DequantizeLinear", ["row", "scale"], ["words"])],
    }[rows]
    nodes += [
        node("Shape", ["ids"], ["shape"]), node("Gather", ["shape", "one"], ["n"]),
        node("Range", ["zero", "n", "one"], ["range"]), node("Gather", ["places", "range"], ["p"]),
        node("Add", ["words", "p"], ["x"]),
        node("Attention", ["x", "x", "x"], ["y"], is_causal=1, q_num_heads=1, kv_num_heads=1),
        node("MatMul", ["y", "head"], ["logits"]),
    ]
    dims = ["batch", "seq"]
    out = value("logits", FLOAT, [*dims, words]) if head else value("y", FLOAT, [*dims, width])
    return model(nodes, [value("ids", INT64, dims)], [out], inits, opset=23)


def identity(dtype: int, dims: list) -> bytes:
    return model([node("Identity", ["x"], ["y"])], [value("x", dtype, dims)],
                 [value("y", dtype, dims)])


def npy(descr: str, shape: tuple, raw: bytes, fortran: bool = False, version: int = 1) -> bytes:
    head = repr({"descr": descr, "fortran_order": fortran, "shape": shape}).encode()
    size = 10 if version == 1 else 12
    head += b" " * (-(size + len(head) + 1) % 64) + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(head))
    return b"\x93NUMPY" + bytes([version, 0]) + length + head + raw


def read_npy(raw: bytes) -> tuple[str, tuple, bytes]:
    assert raw[:6] == b"\x93NUMPY" and raw[6] == 1
    length = struct.unpack("<H", raw[8:10])[0]
    assert (10 + length) % 64 == 0
    head = ast.literal_eval(raw[10:10 + length].decode())
    assert head["fortran_order"] is False
    return head["descr"], head["shape"], raw[10 + length:]


def npz(members: dict[str, bytes], method: int = zipfile.ZIP_STORED, zip64: bool = False) -> bytes:
    """What numpy.savez writes: members opened with room for ZIP64 sizes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, raw in members.items():
            with archive.open(f"{name}.npy", "w", force_zip64=zip64) as file:
                file.write(raw)
    return out.getvalue()


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def longs(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)


def loop_model(trips: int) -> bytes:
    """A Loop that counts far: only a deadline or Ctrl-C ends it."""
    body_inputs = [value("i", INT64, []), value("c", BOOL, []), value("v", FLOAT, [])]
    body_outputs = [value("c2", BOOL, []), value("v2", FLOAT, [])]
    nodes = [node("Identity", ["c"], ["c2"]), node("Sin", ["v"], ["v2"])]
    body = b"".join(data(1, n) for n in nodes) + data(2, "body")
    body += b"".join(data(11, v) for v in body_inputs) + b"".join(data(12, v) for v in body_outputs)
    attribute = data(1, "body") + data(6, body) + number(20, 5)
    loop = data(1, "n") + data(1, "") + data(1, "x") + data(2, "y") + data(4, "Loop")
    loop += data(5, attribute)
    return model([loop], [value("x", FLOAT, [])], [value("y", FLOAT, [])],
                 [tensor("n", INT64, [], [trips])])


# ---- Calling ------------------------------------------------------------------------------------


def heed(*words: object, code: int = 0, env: dict | None = None) -> tuple[str, str]:
    """Runs the command; its exit code must be `code`. Gives stdout and stderr."""
    clean = {k: v for k, v in os.environ.items()
             if not k.startswith("HEED_") or k in ("HEED_PLUGIN_PATH", "HEED_SANITIZE")}
    done = subprocess.run([HEED, *map(str, words)], capture_output=True, timeout=120,
                          env=clean | (env or {}))
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == code, f"exit {done.returncode}, not {code}: {words}\n{out}\n{err}"
    if code:
        assert err.startswith("heed: ") or words[:1] == ("test",), err
    return out, err


def run_json(path: Path, *words: object, **options: object) -> dict:
    return json.loads(heed("run", path, *words, "--json", **options)[0])


def outputs(path: Path, *words: object) -> dict[str, tuple[str, tuple, bytes]]:
    target = FOLDER / "outputs.npz"
    heed("run", path, *words, "--output", target)
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        return {n.removesuffix(".npy"): read_npy(archive.read(n)) for n in archive.namelist()}


def shapes(path: Path, *words: object) -> dict[str, list[int]]:
    return {i["name"]: i["shape"] for i in run_json(path, *words)["inputs"]}


def main(tests: dict[str, object]) -> int:
    """Runs the functions test_* of a module's globals()."""
    if not HEED.exists():
        print(f"{HEED} is not built")
        return 77
    passed = failed = 0
    for name, function in sorted(tests.items()):
        if not name.startswith("test_"):
            continue
        try:
            function()
            passed += 1
        except Exception:  # noqa: BLE001
            failed += 1
            print(f"FAILED {name}\n{traceback.format_exc()}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return failed > 0
