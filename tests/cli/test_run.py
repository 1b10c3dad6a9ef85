"""heed run: shapes, inputs, what is printed and written, limits."""

from __future__ import annotations

import hashlib
import re
import signal
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import command  # noqa: E402
from command import (
    FOLDER, HEED, decoder, floats, heed, identity, linear, longs, loop_model, npy, npz, outputs,
    read_npy, run_json, shapes, write,
)  # noqa: E402
from onnx_writer import BOOL, FLOAT, INT64, STRING, data, model, node, tensor, value  # noqa: E402


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
    for bad in ("x:2xx3", "x:abc", "x:[1,2", "x:1x2x3x", "seq=-1", "seq=many", f"x:{10**20}"):
        heed("run", path, bad, code=2)
    assert "no input or symbol 'xx'" in heed("run", path, "xx:1x2", code=2)[1]
    assert "no input or symbol 'sequence'" in heed("run", path, "sequence=4", code=2)[1]
    assert "should be 3" in heed("run", path, "x:1x2x4", code=2)[1]
    assert "wants 3 axes" in heed("run", path, "x=2x3xf32=1", code=2)[1]
    assert "wants 3 axes, not 2x3" in heed("run", path, "x:2x3", code=2)[1]
    assert "input x is given twice" in heed("run", path, "x=ones", "x=zeros", code=2)[1]
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


# ---- Warnings ----------------------------------------------------------------------------------


def test_dropout_that_draws_is_warned_of_once() -> None:
    weights = [tensor("ratio", FLOAT, [], [0.5]), tensor("training", BOOL, [], [True])]
    nodes = [node("Dropout", ["x", "ratio", "training"], ["h"]),
             node("Dropout", ["h", "ratio", "training"], ["y"])]
    path = write("dropout.onnx", model(nodes, [value("x", FLOAT, [64])],
                                       [value("y", FLOAT, [64])], weights))
    err = heed("run", path, "x=ones")[1]
    assert err.count("warning") == 1 and "2 Dropout nodes are in training mode" in err, err
    assert '"Dropout_h"' in err and "--no-dropout" in err, err
    assert heed("run", path, "x=ones", "--log", "error")[1] == ""
    assert floats(*[1] * 64) != outputs(path, "x=ones")["y"][2]
    assert heed("run", path, "x=ones", "--no-dropout")[1] == ""
    assert floats(*[1] * 64) == outputs(path, "x=ones", "--no-dropout")["y"][2]


if __name__ == "__main__":
    sys.exit(command.main(globals()))
