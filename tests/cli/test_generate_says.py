"""heed generate: what it says of models, tokenizers, lists and streams that are not as they should
be, and of models that only look so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import command  # noqa: E402
from command import FOLDER, HEED, ROOT, heed, tiny_decoder, write  # noqa: E402

VERSE = ROOT / "examples" / "verse"


def generate(*words: object) -> dict:
    return json.loads(heed("generate", *words, "--json")[0])


# ---- Models -------------------------------------------------------------------------------------


def test_hidden_states_are_told_from_logits() -> None:
    path = write("says/encoder.onnx", tiny_decoder(8, head=False))
    err = heed("generate", path, "--tokens", "1,2", code=4)[1]
    assert "hidden states" in err and "4 numbers" in err and "11 tokens" in err, err
    assert "heed embed" in err, err
    heed("embed", path, "--tokens", "1,2")


def test_tables_of_few_bits_are_tables_of_tokens() -> None:
    want = None
    for rows in ("floats", "widened", "multiplied", "late"):
        path = write(f"says/{rows}.onnx", tiny_decoder(32, rows))
        got = generate(path, "--tokens", "1,2,3", "--max-tokens", 20)
        assert got["cache"]["paged"], (rows, got["cache"])
        want = want or got["tokens"]
        assert got["tokens"] == want, (rows, got["tokens"], want)
        err = heed("generate", path, "--tokens", "1,11", code=2)[1]
        assert "the model has 0 to 10" in err, err


def test_folders_name_their_models() -> None:
    for verb, flags in (("explain", ()), ("inspect", ()), ("embed", ("--tokens", "1"))):
        err = heed(verb, VERSE, *flags, code=2)[1]
        assert "is a folder" in err and "verse.onnx" in err and "verse-past.onnx" in err, err
    empty = FOLDER / "says" / "empty"
    empty.mkdir(parents=True, exist_ok=True)
    assert "no file in it ends with .onnx" in heed("inspect", empty, code=2)[1]
    one = write("says/one/any.onnx", tiny_decoder(8, head=False)).parent
    heed("embed", one, "--tokens", "1")


# ---- What stands beside a model -----------------------------------------------------------------


def test_settings_count_without_a_tokenizer() -> None:
    path = write("says/settings/model.onnx", tiny_decoder(32))
    free = generate(path, "--tokens", "1,2,3", "--max-tokens", 20)
    assert free["finish"] == "length" and len(free["tokens"]) == 20
    end = free["tokens"][4]
    config = write("says/settings/generation_config.json",
                   json.dumps({"eos_token_id": [end]}).encode())
    got = generate(path, "--tokens", "1,2,3", "--max-tokens", 20)
    assert got["finish"] == "end" and got["tokens"][-1] == end and end not in got["tokens"][:-1]
    config.write_bytes(b"{")  # nobody needs it
    assert generate(path, "--tokens", "1,2,3", "--max-tokens", 20)["tokens"] == free["tokens"]


def test_files_that_are_no_tokenizer() -> None:
    path = write("says/older/model.onnx", tiny_decoder(8))
    write("says/older/vocab.txt", b"[UNK]\n")
    err = heed("generate", path, "--prompt", "a", code=2)[1]
    assert "vocab.txt" in err and "tokenizer.json" in err and "--tokens" in err, err
    other = write("says/other.json", b"[1, 2")
    err = heed("generate", VERSE, "--prompt", "a", "--tokenizer", other, code=4)[1]
    assert "other.json" in err and "JSON" in err, err


def test_a_tokenizer_of_more_tokens_is_doubted() -> None:
    path = write("says/small.onnx", tiny_decoder(8))
    err = heed("generate", path, "--tokens", "1", "--max-tokens", 1, "--ignore-end",
               "--tokenizer", VERSE / "tokenizer.json")[1]
    assert "1024" in err and "the model 11" in err and "is it this model's?" in err, err


# ---- Lists and streams --------------------------------------------------------------------------


def test_lists_of_tokens() -> None:
    want = generate(VERSE, "--tokens", "1,2,3", "--max-tokens", 3)["tokens"]
    for form in ("1 2 3", "[1, 2, 3]", " [1,2,3]\n", "1,\t2,,3,"):
        assert generate(VERSE, "--tokens", form, "--max-tokens", 3)["tokens"] == want, form
    for bad, word in (("1,x3,5", "'x3'"), ("1,-2", "'-2'"), ("2147483648", "'2147483648'"),
                      ("[1,2", "'[1'"), ("1]", "'1]'"), ("[[1]]", "'[1]'"), ("1.5", "'1.5'"),
                      ("9" * 60, "'" + "9" * 40 + "'")):
        err = heed("generate", VERSE, "--tokens", bad, code=2)[1]
        assert word in err and "--tokens" in err, (bad, err)
    for none in ("", "[]", " , "):
        assert "the list is empty" in heed("generate", VERSE, "--tokens", none, code=2)[1]


def test_closed_streams() -> None:
    words = [HEED, "generate", VERSE, "--max-tokens", "2"]
    closed = "exec \"$@\" <&-"
    done = subprocess.run(["sh", "-c", closed, "sh", *words, "--prompt-file", "-"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stderr.startswith("heed: stdin: "), done
    full = "exec \"$@\" >/dev/full"
    done = subprocess.run(["sh", "-c", full, "sh", *words, "--prompt", "a"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "standard output" in done.stderr, done


# ---- What is counted ----------------------------------------------------------------------------


def test_one_is_no_plural_and_none_has_no_speed() -> None:
    assert "heed: 1 token at" in heed("generate", VERSE, "--tokens", "1", "--max-tokens", 1)[1]
    late = heed("generate", VERSE, "--tokens", "1", "--deadline-ms", 1, "--prompt-file",
                write("says/long.txt", b"and it came to pass " * 2000), code=6)[1]
    assert "no token in" in late and "tokens/s" not in late, late


def test_failing_sequences_keep_what_they_gave() -> None:
    done = subprocess.run([HEED, "generate", VERSE, "--prompt", "hi", "--prompt", "ho", "--json",
                           "--max-tokens", "2000", "--ignore-end", "--kv-memory", "100K"],
                          capture_output=True, text=True, timeout=60)
    got = json.loads(done.stdout)
    assert done.returncode == 5 and "it is full" in done.stderr, done
    for s in got["sequences"]:
        assert s["finish"] == "error" and "it is full" in s["error"], s
        assert len(s["tokens"]) > 60 and s["text"], s


def test_the_memory_limit_bounds_pages() -> None:
    path = write("says/limits.onnx", tiny_decoder(8))
    at_most = [generate(path, "--tokens", "1", "--max-tokens", 1, "--mem-limit", limit)["cache"]
               for limit in ("64M", "32M")]
    assert [c["pages_limit"] * c["page_bytes"] for c in at_most] == [16 << 20, 8 << 20], at_most


if __name__ == "__main__":
    sys.exit(command.main(globals()))
