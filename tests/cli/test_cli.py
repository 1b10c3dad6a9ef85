"""Calls the command in every form that scripts rely on, with small models written here.

Exit codes, what goes to stdout and what to stderr, the dialects of shapes and inputs, files in and
out, and bad input of each kind. Ends with 'N passed, N failed, N skipped'.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import traceback
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from onnx_writer import (  # noqa: E402
    BOOL, FLOAT, INT64, STRING, data, model, node, number, tensor, value,
)

HEED = Path(os.environ.get("HEED_BUILD", HERE.parents[1] / "build")) / "heed"
FOLDER = Path(tempfile.mkdtemp(prefix="heed-cli-"))


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


# ---- Help, verbs, flags -------------------------------------------------------------------------


def test_help_of_all_verbs_fits_a_screen() -> None:
    verbs = re.findall(r"^  ([a-z]+) ", heed("--help")[0], re.M)
    assert {"run", "test", "inspect", "plugin", "doctor"} <= set(verbs), verbs
    for verb in verbs:
        text = heed(verb, "--help")[0]
        assert text.startswith(f"heed {verb}") and text == heed("help", verb)[0]
        lines = text.splitlines()
        assert len(lines) <= 40 and max(map(len, lines)) <= 100, verb


def test_version_names_the_build() -> None:
    out, _ = heed("--version")
    assert re.match(r"heed \d+\.\d+\.\d+\n.+", out)


def test_no_verb_and_unknown_verbs_are_usage_errors() -> None:
    assert heed_fails(code=2).count("\n") > 5
    err = heed("rnu", code=2)[1]
    assert "unknown verb 'rnu'; did you mean 'run'?" in err and "inspect" in err
    assert "did you mean" not in heed("frobnicate", code=2)[1]


def heed_fails(*words: object, code: int) -> str:
    """For calls whose stderr is no single line of ours."""
    done = subprocess.run([HEED, *map(str, words)], capture_output=True, timeout=60)
    assert done.returncode == code, done
    return done.stderr.decode()


def test_unknown_flags_name_the_nearest() -> None:
    path = write("linear.onnx", linear())
    assert "did you mean --threads?" in heed("run", path, "--thraeds", 2, code=2)[1]
    assert "heed run --help" in heed("run", path, "--zzzzzz", code=2)[1]
    assert "two dashes" in heed("run", path, "-t", code=2)[1]
    assert "needs a value" in heed("run", path, "--threads", code=2)[1]


def test_both_forms_of_a_flag_and_its_environment_variable() -> None:
    path = write("linear.onnx", linear())
    assert run_json(path, "--threads=1")["threads"] == 1
    assert run_json(path, "--threads", "1")["threads"] == 1
    assert run_json(path, env={"HEED_THREADS": "1"})["threads"] == 1
    assert run_json(path, "--threads=2", env={"HEED_THREADS": "1"})["threads"] == 2
    assert json.loads(heed("run", path, env={"HEED_JSON": "1"})[0])
    assert json.loads(heed("run", path, env={"HEED_FORMAT": "json"})[0])
    assert heed("run", path, env={"HEED_JSON": "0"})[0].startswith("output")


def test_bad_values_of_flags() -> None:
    path = write("linear.onnx", linear())
    for flag, bad in (("threads", "two"), ("threads", "-1"), ("repeat", "0"), ("mem-limit", "2X"),
                      ("attention", "fast"), ("precision", "bf16"), ("format", "xml"),
                      ("deadline-ms", "soon"), ("log", "loud"), ("json", "maybe")):
        assert bad in heed("run", path, f"--{flag}={bad}", code=2)[1], flag
    for mode in ("off", "auto"):
        heed("run", path, "--attention", mode)
    heed("run", path, "--precision", "fp32")


# ---- Shapes -------------------------------------------------------------------------------------


def test_guessed_dims_are_said() -> None:
    path = write("decoder.onnx", decoder())
    out, err = heed("run", path)
    assert "guessed" in err and "guessed" not in out
    for guess in ("batch=1", "seq=128", "past=0"):
        assert guess in err, err
    assert shapes(path) == {"ids": [1, 128], "mask": [1, 128], "cache": [1, 2, 0, 4]}
    assert run_json(path)["guessed"] == {"batch": 1, "seq": 128, "past": 0}


def test_nothing_is_guessed_that_was_said() -> None:
    path = write("decoder.onnx", decoder())
    _, err = heed("run", path, "batch=2", "seq=3", "past=4")
    assert err == ""
    got = shapes(path, "batch=2", "seq=3", "past=4")
    assert got == {"ids": [2, 3], "mask": [2, 7], "cache": [2, 2, 4, 4]}


def test_three_dialects_agree() -> None:
    path = write("linear.onnx", linear())
    want = {"x": [2, 5, 3]}
    for words in (["x:2x5x3"], ["x:[2,5,3]"], ["batch=2", "seq=5"], ["--shape", "x:2x5x3"],
                  ["--shape", "x:[2, 5, 3]"], ["--shape", "batch=2,seq=5"],
                  ["--shape", "batch=2", "--shape=seq=5"], ["x:[?,5,3]", "batch=2"]):
        assert shapes(path, *words) == want, words
    assert run_json(path, env={"HEED_SHAPE": "x:2x5x3"})["inputs"][0]["shape"] == [2, 5, 3]


def test_a_shape_binds_the_symbols_of_other_inputs() -> None:
    path = write("decoder.onnx", decoder())
    assert shapes(path, "ids:2x6", "past=3")["mask"] == [2, 9]


def test_bad_shapes() -> None:
    path = write("linear.onnx", linear())
    for bad in ("x:2xx3", "x:abc", "x:[1,2", "x:1x2x3x", "seq=-1", "seq=many", "x:99999999999999999999"):
        heed("run", path, bad, code=2)
    assert "no input or symbol 'xx'" in heed("run", path, "xx:1x2", code=2)[1]
    assert "no input or symbol 'sequence'" in heed("run", path, "sequence=4", code=2)[1]
    assert "should be 3" in heed("run", path, "x:1x2x4", code=2)[1]
    assert "wants 3 axes" in heed("run", path, "x=2x3xf32=1", code=2)[1]
    heed("run", path, "seq=3", "seq=4", code=2)


# ---- Inputs -------------------------------------------------------------------------------------


def test_values_written_out() -> None:
    path = write("linear.onnx", linear())
    got = outputs(path, "x=1x2x3xf32=1 2 3 4 5 6")["y"]
    assert got == ("<f4", (1, 2, 2), floats(22, 28, 49, 64))
    assert outputs(path, "x=1,2,3,4,5,6", "seq=2")["y"] == got
    assert outputs(path, "x=2", "batch=1", "seq=1")["y"][2] == floats(18, 24)
    whole = write("whole.onnx", identity(INT64, ["n"]))
    assert outputs(whole, "x=9007199254740993 -1 7")["y"] == ("<i8", (3,), longs(2**53 + 1, -1, 7))
    flags = write("flags.onnx", identity(BOOL, ["n"]))
    assert outputs(flags, "x=true false 1")["y"][2] == b"\1\0\1"
    text = write("text.onnx", identity(STRING, ["n"]))
    assert outputs(text, "x=ab c")["y"] == ("|S2", (2,), b"abc\0")


def test_bad_values() -> None:
    path = write("linear.onnx", linear())
    assert "'two'" in heed("run", path, "x=1x1x3xf32=1 two 3", code=2)[1]
    assert "2 values" in heed("run", path, "x=1x1x3xf32=1 2", code=2)[1]
    assert "wants float32, not int64" in heed("run", path, "x=1x1x3xi64=1 2 3", code=2)[1]
    heed("run", path, "x=", code=2)
    heed("run", path, "y=1", code=2)


def test_rules_are_deterministic() -> None:
    path = write("same.onnx", identity(FLOAT, [64]))
    first, again = outputs(path)["y"], outputs(path, "x=rand")["y"]
    assert first == again and first != outputs(path, "x=rand:7")["y"]
    values = struct.unpack("<64f", first[2])
    assert all(-1 <= v < 1 for v in values) and len(set(values)) > 60
    assert outputs(path, "x=zeros")["y"][2] == bytes(256)
    assert outputs(path, "x=ones")["y"][2] == floats(*[1] * 64)
    assert outputs(path, "x=range")["y"][2] == floats(*range(64))
    whole = write("whole64.onnx", identity(INT64, [64]))
    assert outputs(whole)["y"][2] == longs(*[1] * 64), "ids, positions and masks must be valid"
    drawn = struct.unpack("<64q", outputs(whole, "x=rand")["y"][2])
    assert set(drawn) <= set(range(10)) and len(set(drawn)) > 5


def test_npy_files() -> None:
    path = write("pair.onnx", identity(FLOAT, [2, 3]))
    want = ("<f4", (2, 3), floats(1, 2, 3, 4, 5, 6))
    files = {
        "plain": npy("<f4", (2, 3), want[2]),
        "version2": npy("<f4", (2, 3), want[2], version=2),
        "fortran": npy("<f4", (2, 3), floats(1, 4, 2, 5, 3, 6), fortran=True),
        "big": npy(">f4", (2, 3), struct.pack(">6f", 1, 2, 3, 4, 5, 6)),
    }
    for name, content in files.items():
        file = write(f"{name}.npy", content)
        assert outputs(path, f"x=@{file}")["y"] == want, name
    text = write("words.onnx", identity(STRING, [2]))
    for descr, raw in (("|S3", b"a\0\0xyz"), ("<U2", "a\0é!".encode("utf-32-le"))):
        file = write("words.npy", npy(descr, (2,), raw))
        assert outputs(text, f"x=@{file}")["y"][2] in (b"a\0\0xyz", "a\0\0é!".encode()), descr


def test_bad_npy_files() -> None:
    path = write("pair.onnx", identity(FLOAT, [2, 3]))
    bad = {
        "empty": b"",
        "no magic": b"x" * 200,
        "cut header": npy("<f4", (2, 3), b"")[:40],
        "cut data": npy("<f4", (2, 3), floats(1, 2)),
        "objects": npy("|O", (2, 3), bytes(48)),
        "huge": npy("<f4", (2**40, 2**40), b""),
        "length": b"\x93NUMPY\x01\x00\xff\xff{}",
        "wrong shape": npy("<f4", (3, 2), bytes(24)),
    }
    for name, content in bad.items():
        heed("run", path, f"x=@{write('bad.npy', content)}", code=2)
    assert "No such file" in heed("run", path, "x=@/nowhere.npy", code=2)[1]
    heed("run", path, f"x=@{path}", code=2)  # .onnx is no value


def test_npz_files() -> None:
    path = write("decoder.onnx", decoder())
    members = {
        "ids": npy("<i8", (1, 2), longs(5, 6)),
        "mask": npy("<i8", (1, 3), longs(1, 1, 1)),
        "cache": npy("<f4", (1, 2, 1, 4), floats(*range(8))),
    }
    for zip64 in (False, True):
        file = write("all.npz", npz(members, zip64=zip64))
        got = outputs(path, f"@{file}")
        assert got["ids_out"] == ("<i8", (1, 2), longs(5, 6))
        assert got["cache_out"] == ("<f4", (1, 2, 1, 4), floats(*range(8)))
    got = outputs(path, f"ids=@{file}", "past=0")
    assert got["ids_out"][2] == longs(5, 6) and got["mask_out"][1] == (1, 2)
    assert "no member" in heed("run", path, f"ids=@{write('none.npz', npz({'z': members['ids']}))}",
                               code=2)[1]
    packed = write("packed.npz", npz(members, zipfile.ZIP_DEFLATED))
    assert "compressed" in heed("run", path, f"@{packed}", code=2)[1]
    raw = bytearray(npz(members))
    raw[raw.index(longs(5, 6))] ^= 1
    assert "checksum" in heed("run", path, f"@{write('flipped.npz', bytes(raw))}", code=2)[1]
    for cut in range(0, len(raw), 97):
        heed("run", path, f"@{write('cut.npz', bytes(raw[:cut]))}", code=2)


def test_pb_files_and_folders() -> None:
    path = write("set/model.onnx", linear())
    write("set/test_data_set_0/input_0.pb", tensor("", FLOAT, [1, 1, 3], [1.0, 1.0, 1.0]))
    want = ("<f4", (1, 1, 2), floats(9, 12))
    assert outputs(path, f"x=@{FOLDER}/set/test_data_set_0/input_0.pb")["y"] == want
    assert outputs(path, f"x=@{FOLDER}/set/test_data_set_0")["y"] == want
    assert outputs(path, f"@{FOLDER}/set/test_data_set_0")["y"] == want
    heed("run", path, f"@{write('hollow/readme', b'').parent}", code=2)
    heed("run", path, f"x=@{write('broken.pb', b'garbage')}", code=2)


# ---- Running ------------------------------------------------------------------------------------


def test_run_as_text() -> None:
    path = write("linear.onnx", linear())
    out, err = heed("run", path, "x:1x2x3", "--timing", "--repeat", 3)
    for line in ("output", "y ", "placement  ", "time  ", "memory  ", "loading  "):
        assert re.search(f"^{line}", out, re.M), (line, out)
    assert re.search(r"^placement  (\w+ \d+(, )?)+ nodes", out, re.M) and err == ""
    assert "median of 3" in out


def test_run_as_json() -> None:
    path = write("linear.onnx", linear())
    row = run_json(path, "x=1x1x3xf32=1 2 3", "--repeat=2")
    assert row["model"] == str(path) and row["time"]["runs"] == 2
    assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert {"version", "cpu", "threads", "command", "placement", "memory"} <= set(row)
    assert str(path) in row["command"] and sum(row["placement"].values()) >= 1
    out = row["outputs"][0]
    assert (out["name"], out["dtype"], out["shape"]) == ("y", "float32", [1, 1, 2])
    assert out["first"] == [22, 28] and out["min"] == 22 and out["max"] == 28 and out["mean"] == 25
    padded = write("padded.onnx", linear() + data(99, b"z" * 70000))
    assert run_json(padded)["sha256"] == hashlib.sha256(padded.read_bytes()).hexdigest()


def test_backends_agree_and_are_law() -> None:
    path = write("linear.onnx", linear())
    words = ["x=1x1x3xf32=1 2 3"]
    assert outputs(path, *words, "--backends", "reference") == outputs(path, *words)
    assert set(run_json(path, *words, "--backends=reference")["placement"]) <= {"reference", "host"}
    assert "nowhere" in heed("run", path, "--backends", "nowhere", code=3)[1]
    err = heed("run", path, "--backends", "nowhere", "--allow-fallback")[1]
    assert "falling back" in err


def test_dry_run_runs_nothing() -> None:
    path = write("linear.onnx", linear())
    out, _ = heed("run", path, "--dry-run", "--output", FOLDER / "never.npz")
    assert "placement" in out and "weights" in out and not re.search("^time", out, re.M)
    assert not (FOLDER / "never.npz").exists()
    assert "outputs" not in run_json(path, "--dry-run")


def test_output_files() -> None:
    path = write("pair.onnx", identity(FLOAT, [2, 3]))
    heed("run", path, "x=range", "--output", FOLDER / "one.npy")
    assert read_npy((FOLDER / "one.npy").read_bytes()) == ("<f4", (2, 3), floats(*range(6)))
    many = write("decoder.onnx", decoder())
    assert "3 outputs" in heed("run", many, "--output", FOLDER / "three.npy", code=2)[1]
    heed("run", path, "--output", "/nowhere/out.npz", code=2)


def test_memory_limit_and_deadline() -> None:
    path = write("linear.onnx", linear())
    heed("run", path, "x:64x1024x3", "--mem-limit=64K", code=5)
    heed("run", path, "--mem-limit=512M")
    loop = loop_model(1 << 40)
    heed("run", write("loop.onnx", loop), "--deadline-ms", 50, code=6)


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


def test_interrupt_ends_a_run_in_order() -> None:
    path = write("loop.onnx", loop_model(1 << 40))
    child = subprocess.Popen([HEED, "run", path], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        child.communicate(timeout=2)
        raise AssertionError("the loop ended by itself")
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 6, (child.returncode, err)


def test_bad_models() -> None:
    assert "No such file" in heed("run", FOLDER / "none.onnx", code=2)[1]
    assert "No such file" in heed("inspect", FOLDER / "none.onnx", code=2)[1]
    heed("run", code=2)
    for verb in ("run", "inspect"):
        heed(verb, write("garbage.onnx", b"\xff" * 100), code=4)
        heed(verb, write("empty.onnx", b""), code=4)
        heed(verb, write("cut.onnx", linear()[:-20]), code=4)
        unknown = model([node("Frobnicate", ["x"], ["y"])], [value("x", FLOAT, [1])],
                        [value("y", FLOAT, None)])
        err = heed(verb, write("unknown.onnx", unknown), code=4)[1]
        assert "Frobnicate not supported" in err and "unknown.onnx: " in err, err
        assert err.count("\n") == 1


# ---- inspect, plugin, doctor --------------------------------------------------------------------


def test_inspect() -> None:
    path = write("decoder.onnx", decoder())
    out, _ = heed("inspect", path)
    for part in ("ids", "past", "opset ai.onnx", "Identity", "3 nodes"):
        assert part in out, (part, out)
    row = json.loads(heed("inspect", path, "--json")[0])
    assert [i["name"] for i in row["inputs"]] == ["ids", "mask", "cache"]
    batch, both = row["inputs"][1]["shape"]
    assert batch == "batch" and sorted(both.split(" + ")) == ["past", "seq"]
    assert row["opsets"]["ai.onnx"] == "18" and row["nodes"] == 3
    assert row["operators"] == [{"domain": "ai.onnx", "op": "Identity", "nodes": 3}]
    row = json.loads(heed("inspect", write("linear.onnx", linear()), "--json")[0])
    assert row["weights"] == [{"dtype": "float32", "tensors": 1, "elements": 6, "bytes": 24}]


def test_plugins() -> None:
    out, _ = heed("plugin", "list")
    for part in ("reference", "onnx", "importer", "backend"):
        assert part in out, out
    rows = {p["name"]: p for p in json.loads(heed("plugin", "list", "--json")[0])["plugins"]}
    assert rows["reference"]["kind"] == "backend" and rows["reference"]["offers"] > 20
    assert rows["onnx"]["kind"] == "importer" and rows["onnx"]["abi"] == 1
    assert "MatMul" in heed("plugin", "info", "reference")[0]
    assert "MatMul" in heed("plugin", "list", "--verbose")[0]
    assert "did you mean" in heed("plugin", "info", "referense", code=3)[1]
    heed("plugin", "frob", code=2)
    heed("plugin", "info", code=2)


def test_doctor() -> None:
    out, _ = heed("doctor")
    assert "self-test  reference: ok" in out and "result     ready" in out
    row = json.loads(heed("doctor", "--json")[0])
    assert row["ready"] and all(t["passed"] and t["nodes"] > 0 for t in row["self_tests"])


def test_doctor_reports_a_refused_plugin() -> None:
    folder = write("plugins/broken.so", b"not a shared object").parent
    path = f"{folder}:{os.environ.get('HEED_PLUGIN_PATH', '')}"
    done = subprocess.run([HEED, "doctor"], capture_output=True,
                          env=os.environ | {"HEED_PLUGIN_PATH": path}, timeout=60)
    out = done.stdout.decode()
    assert done.returncode == 3 and re.search("^refused .*broken.so: .+", out, re.M), out


# ---- test ---------------------------------------------------------------------------------------


def add_case(name: str, content: bytes, sets: list[tuple[list[bytes], list[bytes]]]) -> None:
    write(f"{name}/model.onnx", content)
    for i, (given, wanted) in enumerate(sets):
        for kind, files in (("input", given), ("output", wanted)):
            for k, raw in enumerate(files):
                write(f"{name}/test_data_set_{i}/{kind}_{k}.pb", raw)


def three(*values: float) -> bytes:
    return tensor("", FLOAT, [3], list(values))


def make_cases(root: str) -> None:
    same = identity(FLOAT, [3])
    add_case(f"{root}/a/good", same, [([three(1, 2, 3)], [three(1, 2, 3)])] * 2)
    add_case(f"{root}/a/nan", same, [([three(1, float("nan"), float("inf"))],
                                      [three(1, float("nan"), float("inf"))])])
    add_case(f"{root}/b/close", same, [([three(1, 2, 1000)], [three(1, 2, 1000.9)])])
    add_case(f"{root}/b/off", same, [([three(1, 2, 3)], [three(1, 2, 3)]),
                                     ([three(1, 2, 3)], [three(1, 2.5, 4)])])
    add_case(f"{root}/b/shape", same, [([three(1, 2, 3)], [tensor("", FLOAT, [1, 3], [1, 2, 3])])])
    add_case(f"{root}/b/dtype", same, [([three(1, 2, 3)], [tensor("", INT64, [3], [1, 2, 3])])])
    add_case(f"{root}/c/none", same, [])
    unknown = model([node("Frobnicate", ["x"], ["y"])], [value("x", FLOAT, [3])],
                    [value("y", FLOAT, [3])])
    add_case(f"{root}/c/unknown", unknown, [([three(1, 2, 3)], [three(1, 2, 3)])])
    add_case(f"{root}/c/loose", same, [([three(1, 2, 3)], [three(1.0009, 2, 3)])])
    write(f"{root}/c/loose/case.json", b'{"features": ["x", {"dtype": "no"}], "dtype": "fp32"}')
    add_case(f"{root}/c/half", same, [([three(1, 2, 3)], [three(1.01, 2, 3)])])
    write(f"{root}/c/half/case.json", b'{"dtype": "fp16"}')


WANTED = {
    "a/good": "passed", "a/nan": "passed", "b/close": "passed", "b/off": "failed",
    "b/shape": "failed", "b/dtype": "failed", "c/none": "skipped", "c/unknown": "failed",
    "c/loose": "passed", "c/half": "passed",
}


def test_cases_as_text() -> None:
    make_cases("cases")
    out, err = heed("test", FOLDER / "cases", code=1)
    lines = out.splitlines()
    assert lines[-1] == "5 passed, 4 failed, 1 skipped" and err == "", out
    assert len(lines) == 6
    off = next(line for line in lines if line.startswith("failed b/off: "))
    assert 'test_data_set_1: output "y" element [1] of 3: expected 2.5, got 2 ' in off
    assert "2 of 3 differ" in off
    assert "expected shape 1x3, got 3" in out and "expected int64, got float32" in out
    assert "Frobnicate not supported" in out


def test_cases_as_json() -> None:
    make_cases("cases")
    for jobs in (1, 3):
        out, err = heed("test", FOLDER / "cases", "--json", "--jobs", jobs, code=1)
        rows = [json.loads(line) for line in out.splitlines()]
        assert {r["case"]: r["status"] for r in rows} == WANTED
        assert [r["case"] for r in rows] == sorted(WANTED)
        assert err == "5 passed, 4 failed, 1 skipped\n"
        by_name = {r["case"]: r for r in rows}
        assert set(rows[0]) == {"case", "status", "reason", "max_abs", "max_rel", "ms"}
        assert by_name["b/off"]["max_abs"] == 1 and by_name["c/none"]["max_abs"] is None


def test_tolerances_can_be_given() -> None:
    make_cases("cases")
    out, _ = heed("test", FOLDER / "cases/b/close", "--rtol=1e-6", code=1)
    assert "failed close: " in out and "off by 0.9" in out
    heed("test", FOLDER / "cases/b/off", "--atol=2")
    heed("test", FOLDER / "cases/c/half", "--rtol=1e-3", code=1)


def test_single_cases_several_folders_and_none() -> None:
    make_cases("cases")
    assert heed("test", FOLDER / "cases/a")[0] == "2 passed, 0 failed, 0 skipped\n"
    both = heed("test", FOLDER / "cases/a", FOLDER / "cases/b/close", "--json")[0]
    assert len({json.loads(line)["case"] for line in both.splitlines()}) == 3
    assert "No such file" in heed("test", FOLDER / "nowhere", code=2)[1]
    assert "model.onnx" in heed("test", write("blank/file", b"").parent, code=2)[1]
    heed("test", code=2)
    heed("test", FOLDER / "cases/a", "--backends", "nowhere", code=3)


def test_data_without_the_inputs_that_have_a_default() -> None:
    """Old models list initialisers as inputs; data sets number all of them, or the others."""
    inputs = [value("w", FLOAT, [3]), value("x", FLOAT, [3])]
    old = model([node("Add", ["x", "w"], ["y"])], inputs, [value("y", FLOAT, [3])],
                [tensor("w", FLOAT, [3], [1.0, 1.0, 1.0])])
    add_case("old/short", old, [([three(1, 2, 3)], [three(2, 3, 4)])])
    add_case("old/whole", old, [([three(5, 5, 5), three(1, 2, 3)], [three(6, 7, 8)])])
    assert heed("test", FOLDER / "old")[0] == "2 passed, 0 failed, 0 skipped\n"


def main() -> int:
    if not HEED.exists():
        print(f"{HEED} is not built")
        return 77
    passed = failed = 0
    for name, function in sorted(globals().items()):
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


if __name__ == "__main__":
    sys.exit(main())
