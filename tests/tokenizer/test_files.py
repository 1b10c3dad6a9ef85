#!/usr/bin/env python3
"""What stands beside a tokenizer, files that are wrong, and text and tokens that are none."""

import json
import sys
import tempfile
import traceback
from pathlib import Path

import client
from client import Refused, Tokenizer, info

NOTFOUND, INVALID, UNSUPPORTED = 4, 2, 1
VOCAB = {"<unk>": 0, "a": 1, "b": 2, "ab": 3, "</s>": 4, " ": 5}
FOLDER = Path(tempfile.mkdtemp(prefix="heed-tokenizer-"))


def content(**parts):
    model = {"type": "BPE", "vocab": VOCAB, "merges": ["a b"]} | parts.pop("model", {})
    return {"version": "1.0", "model": model} | parts


def folder(name, files):
    made = FOLDER / name
    made.mkdir()
    for file, value in files.items():
        (made / file).write_text(value if isinstance(value, str) else json.dumps(value))
    return made


def refused(path, status, *words):
    """Opening fails with this status, and its message has these words."""
    try:
        info(path)
    except Refused as error:
        assert error.status == status, (error.status, str(error))
        for word in words:
            assert word in str(error), (word, str(error))
        return
    raise AssertionError("%s was read" % path)


def wrong(status, *words, **parts):
    name = "wrong%d" % len(list(FOLDER.iterdir()))
    refused(folder(name, {"tokenizer.json": content(**parts)}), status, *words)


# ---- Files beside it ----------------------------------------------------------------------------


def test_nothing_beside():
    about = info(folder("alone", {"tokenizer.json": content()}))
    assert about == {
        "tokens": 6, "begin": -1, "pad": -1, "start": -1, "positions": -1, "ends": []
    }, about  # fmt: skip


def test_generation_config_comes_first():
    about = info(folder("first", {
        "tokenizer.json": content(),
        "generation_config.json": {"eos_token_id": [4, 2], "decoder_start_token_id": 0},
        "config.json": {"eos_token_id": 1, "bos_token_id": 2, "max_position_embeddings": 77},
        "tokenizer_config.json": {"eos_token": "a", "pad_token": {"content": "<unk>"},
                                  "model_max_length": 12},
    }))  # fmt: skip
    assert about["ends"] == [4, 2] and about["start"] == 0, about
    assert about["begin"] == 2 and about["positions"] == 77 and about["pad"] == 0, about


def test_nested_configuration():
    about = info(folder("nested", {
        "tokenizer.json": content(),
        "config.json": {"text_config": {"eos_token_id": 4, "n_positions": 9}, "eos_token_id": None},
    }))  # fmt: skip
    assert about["ends"] == [4] and about["positions"] == 9, about


def test_genai_configuration():
    about = info(folder("genai", {
        "tokenizer.json": content(),
        "genai_config.json": {"model": {"eos_token_id": [4], "context_length": 2048,
                                        "pad_token_id": 0}},
    }))  # fmt: skip
    assert about["ends"] == [4] and about["positions"] == 2048 and about["pad"] == 0, about


def test_names_of_the_tokenizer():
    about = info(folder("names", {
        "tokenizer.json": content(),
        "tokenizer_config.json": {"model_max_length": 1e30},
        "special_tokens_map.json": {"eos_token": "</s>", "bos_token": "nowhere"},
    }))  # fmt: skip
    assert about["ends"] == [4] and about["begin"] == -1 and about["positions"] == -1, about


def test_a_file_is_opened_with_what_is_beside_it():
    made = folder("file", {"tokenizer.json": content(), "config.json": {"eos_token_id": 3}})
    assert info(made / "tokenizer.json")["ends"] == [3]


def test_a_broken_file_beside_it_is_named():
    made = folder("broken", {"tokenizer.json": content(), "config.json": '{"eos_token_id": 3'})
    refused(made, INVALID, "config.json", "no JSON")


def test_no_tokenizer():
    refused(folder("config", {"config.json": {}}), NOTFOUND, "tokenizer.json")
    refused(FOLDER / "nowhere", NOTFOUND, "nowhere")


def test_files_of_older_packages_are_named():
    refused(folder("pieces", {"vocab.txt": "[UNK]"}), NOTFOUND, "tokenizer.json", "vocab.txt",
            "save_pretrained")
    refused(folder("merges", {"vocab.json": {}, "merges.txt": ""}), NOTFOUND, "vocab.json")
    refused(folder("sentences", {"tokenizer.model": ""}), NOTFOUND, "tokenizer.model")


def test_errors_name_the_file_that_was_opened():
    refused(folder("other", {"mine.json": "{"}) / "mine.json", INVALID, "mine.json")


# ---- Files that are wrong -----------------------------------------------------------------------


def test_elements_are_named():
    wrong(INVALID, "model.merges[1]", "right half", model={"merges": ["a b", "a c"]})
    wrong(INVALID, "model.merges[0]", "what it makes", model={"merges": [["b", "a"]]})
    wrong(INVALID, "model.merges[0]", "pair", model={"merges": ["ab"]})
    wrong(INVALID, "model.merges[0]", "pair", model={"merges": [["a"]]})
    wrong(INVALID, "model.vocab.a", "number", model={"vocab": {"a": "1"}})
    wrong(INVALID, "model.vocab.a", "number", model={"vocab": {"a": -1}})
    wrong(UNSUPPORTED, "model.vocab.a", model={"vocab": {"a": 1 << 30}})
    wrong(INVALID, "model", "vocab", model={"vocab": []})
    wrong(INVALID, "merges", model={"merges": None})
    wrong(INVALID, "model.fuse_unk", model={"fuse_unk": 1})
    wrong(INVALID, "added_tokens[0]", "content", added_tokens=[{"id": 1}])
    wrong(INVALID, "added_tokens", added_tokens={})


def test_what_is_not_known_is_said():
    wrong(UNSUPPORTED, "Unigram", "SentencePiece", model={"type": "Unigram"})
    wrong(UNSUPPORTED, "\"Tree\"", model={"type": "Tree"})
    wrong(UNSUPPORTED, "normalizer", "Precompiled", normalizer={"type": "Precompiled"})
    parts = [{"type": "ByteLevel"}, {"type": "UnicodeScripts"}]
    part = {"type": "Sequence", "pretokenizers": parts}
    wrong(UNSUPPORTED, "pre_tokenizer.pretokenizers[1]", "UnicodeScripts", pre_tokenizer=part)
    wrong(UNSUPPORTED, "post_processor", "Foo", post_processor={"type": "Foo"})
    wrong(UNSUPPORTED, "decoder", "CTC", decoder={"type": "CTC"})
    wrong(INVALID, "decoder", "\"type\"", decoder={})


def split(pattern, behavior="Isolated"):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": False}


def test_patterns_that_are_wrong():
    wrong(UNSUPPORTED, "pre_tokenizer.pattern", pre_tokenizer=split({"Regex": "(a"}))
    wrong(UNSUPPORTED, "pre_tokenizer.pattern", "repetition", pre_tokenizer=split({"Regex": "*"}))
    wrong(UNSUPPORTED, "pre_tokenizer.pattern", pre_tokenizer=split({"Regex": "[a"}))
    wrong(UNSUPPORTED, "callout", pre_tokenizer=split({"Regex": "(*FAIL)"}))
    wrong(INVALID, "pre_tokenizer", "pattern", pre_tokenizer=split({}))
    wrong(INVALID, "behavior", pre_tokenizer=split({"String": "a"}, "Sometimes"))


def test_templates_that_are_wrong():
    special = {"SpecialToken": {"id": "<s>", "type_id": 0}}
    template = {"type": "TemplateProcessing", "single": [special], "special_tokens": {}}
    wrong(INVALID, "post_processor.single[0]", post_processor=template)
    wrong(INVALID, "single[0]", post_processor=template | {"single": [{"Sequence": {"id": "B"}}]})
    wrong(INVALID, "post_processor", post_processor={"type": "BertProcessing", "cls": ["a", 1]})


def test_what_is_no_json():
    for i, text in enumerate(["", "{", "[1,]", '{"a": 01x}', '"\\ud800"', '{"a" 1}', "nul", "1 2",
                              '"a\nb"', "[" * 100]):  # fmt: skip
        refused(folder("json%d" % i, {"tokenizer.json": text}), INVALID, "tokenizer.json")
    made = folder("bytes", {})
    (made / "tokenizer.json").write_bytes(b'{"a": "\xff"}')
    refused(made, INVALID, "UTF-8")


# ---- Text and tokens ----------------------------------------------------------------------------


def fails(call, *arguments, status=INVALID):
    try:
        call(*arguments)
    except Refused as error:
        assert error.status == status, (error.status, str(error))
        return str(error)
    raise AssertionError("it was taken")


def test_text_that_is_no_utf8():
    ours = Tokenizer(folder("text", {"tokenizer.json": content()}))
    for text in [b"\x80", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe4\xb8", b"\xff"]:
        assert "byte 2" in fails(ours.encode, b"ab" + text)
    assert ours.encode("ab\0a") == [3, 1]
    ours.close()


def test_tokens_that_are_none():
    ours = Tokenizer(folder("tokens", {"tokenizer.json": content()}))
    assert "6" in fails(ours.decode, [1, 6])
    fails(ours.decode, [-1])
    assert ours.decode([]) == "" and ours.decode([3]) == "ab"
    ours.close()


def test_unknown_without_a_token():
    ours = Tokenizer(folder("unknown", {"tokenizer.json": content(model={"unk_token": "?"})}))
    assert "?" in fails(ours.encode, "c")
    assert ours.encode("ab") == [3]
    ours.close()


def test_patterns_that_take_for_ever():
    hostile = content(pre_tokenizer=split({"Regex": "(a+)+b"}))
    ours = Tokenizer(folder("hostile", {"tokenizer.json": hostile}))
    assert "steps" in fails(ours.encode, "a" * 100 + "cb", status=UNSUPPORTED)
    ours.close()


def test_long_words():
    """A million letters without a space: time is not their square."""
    merges, vocab, word = [], dict(VOCAB), "a"
    for i in range(8):
        vocab[word * 2] = 10 + i
        merges.append("%s %s" % (word, word))
        word *= 2
    model = {"vocab": vocab, "merges": merges}
    ours = Tokenizer(folder("long", {"tokenizer.json": content(model=model)}))
    assert ours.encode("a" * 1024 * 1024) == [17] * 4096
    ours.close()


def main():
    if not client.TOOL.exists():
        print("SKIPPED: %s is not built" % client.TOOL)
        sys.exit(77)
    tests = [(n, t) for n, t in sorted(globals().items()) if n.startswith("test_")]
    failed = 0
    for name, test in tests:
        try:
            test()
        except Exception:
            print("%s:" % name)
            traceback.print_exc(file=sys.stdout)
            failed += 1
    print("%d passed, %d failed, 0 skipped" % (len(tests) - failed, failed))
    sys.exit(failed != 0)


main()
