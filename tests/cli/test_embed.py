"""heed embed: roles of inputs, batches, pooling, what the files beside a model say, errors."""

from __future__ import annotations

import json
import math
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import command  # noqa: E402
from command import FOLDER, heed, linear, read_npy, write  # noqa: E402
from onnx_writer import FLOAT, INT32, INT64, model, node, tensor, value  # noqa: E402

WIDTH, WORDS = 3, 8
TABLE = [[math.sin(1 + 7 * w + c) for c in range(WIDTH)] for w in range(WORDS)]


def encoder(mask: bool = True, dims: tuple = ("batch", "seq"), extra: tuple = ()) -> bytes:
    """states[b,s,3] = table[ids], times the mask, plus types; also the first token's vector."""
    inputs = [value("input_ids", INT64, list(dims))]
    nodes = [node("Gather", ["table", "input_ids"], ["x"])]
    if mask:
        inputs += [value("attention_mask", INT64, list(dims)),
                   value("token_type_ids", INT32, list(dims))]
        nodes += [node("Cast", ["attention_mask"], ["m1"], to=FLOAT),
                  node("Unsqueeze", ["m1", "last"], ["m"]),
                  node("Cast", ["token_type_ids"], ["t1"], to=FLOAT),
                  node("Unsqueeze", ["t1", "last"], ["t"]),
                  node("Mul", ["x", "m"], ["xm"]), node("Add", ["xm", "t"], ["states"])]
    else:
        nodes += [node("Identity", ["x"], ["states"])]
    nodes += [node("Gather", ["states", "zero"], ["first"], axis=1)]
    outputs = [value("states", FLOAT, [*dims, WIDTH]), value("first", FLOAT, [dims[0], WIDTH])]
    inits = [tensor("table", FLOAT, [WORDS, WIDTH], [x for row in TABLE for x in row]),
             tensor("last", INT64, [1], [2]), tensor("zero", INT64, [], [0])]
    return model(nodes, inputs + list(extra), outputs, inits)


def embed(path: Path, *texts: str, flags: tuple = (), **options: object) -> dict:
    words = [w for t in texts for w in ("--tokens", t)]
    return json.loads(heed("embed", path, *words, *flags, "--json", **options)[0])


def unit(vector: list[float]) -> list[float]:
    length = math.sqrt(sum(x * x for x in vector))
    return [x / length for x in vector]


def near(got: list[float], want: list[float]) -> bool:
    return len(got) == len(want) and all(abs(g - w) < 1e-6 for g, w in zip(got, want))


def rows(text: str) -> list[list[float]]:
    return [TABLE[int(t)] for t in text.split(",")]


def mean(text: str) -> list[float]:
    return [sum(column) / len(column) for column in zip(*rows(text))]


TEXTS = ("1,2,3", "4", "5,6,7,1,2", "2,1")


def test_default_is_the_normalized_mean() -> None:
    for path in (write("encoder.onnx", encoder()), write("bare.onnx", encoder(mask=False))):
        got = embed(path, *TEXTS)
        assert all(near(v, unit(mean(t))) for v, t in zip(got["vectors"], TEXTS)), got
        assert got["tokens"] == [3, 1, 5, 2] and got["channels"] == WIDTH
        assert got["pool"] == "mean" and got["normalized"] and got["output"] == "states"


def test_poolings() -> None:
    path = write("encoder.onnx", encoder())
    want = {
        "cls": lambda r: r[0], "last": lambda r: r[-1],
        "max": lambda r: [max(c) for c in zip(*r)],
        "root": lambda r: [sum(c) / math.sqrt(len(c)) for c in zip(*r)],
        "weighted": lambda r: [sum((i + 1) * x for i, x in enumerate(c)) * 2 / len(c) /
                               (len(c) + 1) for c in zip(*r)],
    }
    for pool, function in want.items():
        got = embed(path, *TEXTS, flags=("--pool", pool, "--no-normalize"))["vectors"]
        assert all(near(v, function(rows(t))) for v, t in zip(got, TEXTS)), (pool, got)
    got = embed(path, *TEXTS, flags=("--pool", "none"))
    assert not got["normalized"]
    for vectors, text in zip(got["vectors"], TEXTS):
        assert all(near(v, w) for v, w in zip(vectors, rows(text), strict=True))


def test_batches_do_not_change_a_text() -> None:
    path = write("encoder.onnx", encoder())
    together = embed(path, *TEXTS)["vectors"]
    for flags in (("--batch", "1"), ("--batch", "2")):
        assert embed(path, *TEXTS, flags=flags)["vectors"] == together
    assert [embed(path, t)["vectors"][0] for t in TEXTS] == together


def test_fixed_extents_are_padded_or_refused() -> None:
    path = write("fixed.onnx", encoder(dims=(2, 4)))
    out, err = heed("embed", path, "--tokens", "1,2,3,4,5,6", "--tokens", "3", "--tokens", "1,2")
    assert "has 6 tokens: it is cut to 4" in err and len(out.splitlines()) == 3
    got = [unit([float(x) for x in line.split()]) for line in out.splitlines()]
    for vector, text in zip(got, ("1,2,3,4", "3", "1,2")):
        assert near(vector, unit(mean(text))), (vector, text)
    bare = write("fixed-bare.onnx", encoder(mask=False, dims=(1, 4)))
    assert "has no mask" in heed("embed", bare, "--tokens", "1,2", code=2)[1]
    assert near(embed(bare, "1,2,3,4")["vectors"][0], unit(mean("1,2,3,4")))


def test_an_output_of_two_axes_is_taken_as_it_is() -> None:
    path = write("encoder.onnx", encoder())
    got = embed(path, "3,1", flags=("--from", "first"))
    assert near(got["vectors"][0], TABLE[3]) and got["pool"] == "" and not got["normalized"]
    got = embed(path, "3,1", flags=("--from", "first", "--normalize"))
    assert near(got["vectors"][0], unit(TABLE[3])) and got["normalized"]
    assert "no output 'none'" in heed("embed", path, "--tokens", 1, "--from", "none", code=2)[1]


def test_roles_of_inputs() -> None:
    odd = encoder(extra=(value("flags", INT64, ["batch", "seq"]),))
    path = write("odd.onnx", odd)
    err = heed("embed", path, "--tokens", "1,2", code=2)[1]
    assert "input_ids and flags could both take the tokens" in err
    want = embed(write("encoder.onnx", encoder()), "1,2")["vectors"]
    assert embed(path, "1,2", flags=("flags=zeros",))["vectors"] == want
    assert "ids, mask, types" in heed("embed", path, "flags=what", "--tokens", "1", code=2)[1]
    assert "no such input" in heed("embed", path, "hello", "--tokens", "1", code=2)[1]
    assert "for models of text" in heed("embed", write("linear.onnx", linear()), "--tokens", 1,
                                        code=2)[1]


def test_files_beside_a_model() -> None:
    path = write("st/onnx/model.onnx", encoder())
    steps = [{"path": "", "type": "x.models.Transformer"},
             {"path": "1_Pooling", "type": "x.models.Pooling"}]
    write("st/modules.json", json.dumps(steps).encode())
    write("st/sentence_bert_config.json", b'{"max_seq_length": 2, "do_lower_case": false}')
    write("st/1_Pooling/config.json",
          b'{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}')
    got = embed(path, "3,1,2")
    assert got["pool"] == "cls" and not got["normalized"] and got["tokens"] == [2], got
    assert near(got["vectors"][0], TABLE[3]) and got["configuration"].endswith("modules.json")
    assert embed(path, "3,1", flags=("--pool", "last"))["pool"] == "last"
    assert embed(FOLDER / "st", "3,1,2")["vectors"] == got["vectors"], "by its folder"
    steps += [{"path": "2_Normalize", "type": "x.models.Normalize"},
              {"path": "3_Dense", "type": "x.models.Dense"}]
    write("st/modules.json", json.dumps(steps).encode())
    out, err = heed("embed", path, "--tokens", "3,1", "--json")
    assert json.loads(out)["normalized"] and "'Dense'" in err
    write("st/1_Pooling/config.json",
          b'{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}')
    assert "side by side" in heed("embed", path, "--tokens", "3,1", code=4)[1]


def test_files_of_vectors() -> None:
    path = write("encoder.onnx", encoder())
    words = ["embed", path, "--tokens", "1,2", "--tokens", "3"]
    assert heed(*words, "--output", FOLDER / "v.npz")[0] == ""
    with zipfile.ZipFile(FOLDER / "v.npz") as archive:
        descr, shape, raw = read_npy(archive.read("vectors.npy"))
    assert descr == "<f4" and shape == (2, WIDTH)
    heed(*words, "--output", FOLDER / "v.npy")
    assert read_npy((FOLDER / "v.npy").read_bytes())[2] == raw
    heed(*words, "--pool", "none", "--output", FOLDER / "t.npz")
    with zipfile.ZipFile(FOLDER / "t.npz") as archive:
        assert read_npy(archive.read("vectors.0.npy"))[1] == (2, WIDTH)
    assert "write a .npz" in heed(*words, "--pool", "none", "--output", FOLDER / "t.npy", code=2)[1]
    heed(*words, "--output", FOLDER / "none" / "v.npz", code=2)


def test_similarity() -> None:
    path = write("encoder.onnx", encoder())
    out, _ = heed("embed", path, "--tokens", "1,2", "--tokens", "2,1", "--similarity")
    lines = [line.split() for line in out.splitlines()]
    assert [line[0] for line in lines] == ["1,2", "2,1"]
    assert all(abs(float(x) - 1) < 1e-4 for line in lines for x in line[1:])
    got = embed(path, "1", "4", flags=("--similarity",))["similarity"]
    cosine = sum(a * b for a, b in zip(unit(TABLE[1]), unit(TABLE[4])))
    assert abs(got[0][1] - cosine) < 1e-6 and abs(got[0][0] - 1) < 1e-6


def test_usage_errors() -> None:
    path = write("encoder.onnx", encoder())
    assert "needs a model" in heed("embed", code=2)[1]
    assert "--text TEXT" in heed("embed", path, code=2)[1]
    assert "No such file" in heed("embed", FOLDER / "none.onnx", "--tokens", "1", code=2)[1]
    err = heed("embed", path, "--text", "hello", code=2)[1]
    assert "no tokenizer" in err and str(FOLDER) in err and "--tokenizer" in err, err
    assert "--pool" in heed("embed", path, "--tokens", 1, "--pool", "sum", code=2)[1]
    assert "1,2,3" in heed("embed", path, "--tokens", "1,x", code=2)[1]
    assert "empty" in heed("embed", path, "--tokens", "", code=2)[1]
    heed("embed", path, "--tokens", "1", "--tokenizer", FOLDER / "none.json")
    heed("embed", path, "--text", "a", "--tokenizer", FOLDER / "none.json", code=2)
    out_of_range = heed("embed", path, "--tokens", str(WORDS + 5), code=4)[1]
    assert "encoder.onnx" in out_of_range


if __name__ == "__main__":
    sys.exit(command.main(globals()))
