#!/usr/bin/env python3
"""Encoder-decoders of the corpus: greedy tokens, generated through pages with several requests at
once, are those of ONNX Runtime, which runs the encoder and then all of the decoder for each token.

The encoder's results and the products of cross attention are no part of a step: that is asked of
the graphs (`dump_graph`). An encoder and a decoder that fit need not be of one model. A decoder
that was exported without its head, so that it gives hidden states, gets one here."""

import os
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnxruntime

import corpora

TOKENS, NEVER, SEEDS, CLOSE = 12, -1, (0, 1, 2), 1e-4
IDS = 99  # that the corpus's tables have
SOUND = [1, 8, 40]  # Whisper's in the corpus
# encoder (None: in the same file), decoder
PAIRS = [
    ("bart-encoder__optimum", "bart-decoder__optimum"),
    ("bart-encoder__optimum", "bart-decoder-merged__optimum"),
    ("bart-encoder__torchscript-17-eager", "bart-decoder__dynamo-18-sdpa"),
    ("bart-encoder__dynamo-18-eager", "led-decoder__dynamo-18-eager"),
    ("m2m_100-encoder__optimum", "m2m_100-decoder__optimum"),
    ("marian-encoder__optimum", "marian-decoder__optimum"),
    ("mbart-encoder__optimum", "mbart-decoder__optimum"),
    ("bart-encoder__optimum", "pegasus-decoder__optimum"),
    ("bart-encoder__optimum", "blenderbot-decoder__optimum"),
    ("t5-encoder__optimum", "t5-decoder__optimum"),
    ("t5-encoder__dynamo-18-eager", "t5-decoder__torchscript-14-eager"),
    ("whisper-encoder__optimum", "whisper-decoder__optimum"),
    (None, "bart__dynamo-18-sdpa"),
    (None, "t5__dynamo-23-eager"),
]


def features(dims, seed):
    """As tests/tools/seq2seq.c makes them."""
    count = int(numpy.prod(dims))
    values = (numpy.arange(count, dtype=numpy.int64) * 7919 + seed * 104729) % 257 - 128
    return (values / 64).astype(numpy.float32).reshape(dims)


def prompt(seed):
    return [4 + (7 * i + 13 * seed) % 90 for i in range(5 + 3 * seed)]


def with_head(path, made):
    """The decoder's file, or one in the folder `made` that has logits behind its hidden states."""
    model = onnx.load(path)
    hidden = model.graph.output[0]
    width = hidden.type.tensor_type.shape.dim[2].dim_value
    if not 0 < width < IDS // 2:
        return path
    weights = numpy.random.default_rng(width).normal(size=(width, IDS)).astype(numpy.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weights, "test_head"))
    model.graph.node.append(onnx.helper.make_node("MatMul", [hidden.name, "test_head"],
                                                  ["test_logits"]))
    hidden.CopyFrom(onnx.helper.make_tensor_value_info("test_logits", onnx.TensorProto.FLOAT,
                                                       None))
    headed = os.path.join(made, os.path.basename(os.path.dirname(path)) + ".onnx")
    onnx.save(model, headed)
    return headed


class Session:
    """A model of ONNX Runtime that is given what it asks for."""

    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        self.session = onnxruntime.InferenceSession(path, options)
        self.inputs = self.session.get_inputs()

    def first(self, **known):
        """The first result; masks are ones, pasts are empty, switches are off."""
        feeds = {}
        for given in self.inputs:
            if given.name in known:
                feeds[given.name] = known[given.name]
            elif "mask" in given.name:
                feeds[given.name] = numpy.ones((1, known["width"]), dtype=numpy.int64)
            elif given.type == "tensor(bool)":
                feeds[given.name] = numpy.zeros(given.shape, dtype=bool)
            else:
                shape = [1, given.shape[1], 0 if "decoder" in given.name else known["width"],
                         given.shape[3]]
                feeds[given.name] = numpy.zeros(shape, dtype=numpy.float32)
        return self.session.run(None, feeds)[0]


def is_sound(encoder):
    return encoder is not None and encoder.startswith("whisper")


def encoded(folder, encoder, seed):
    session = Session(os.path.join(folder, encoder, "model.onnx"))
    if is_sound(encoder):
        return session.first(input_features=features(sound_dims(session), seed))
    tokens = numpy.array([prompt(seed)])
    return session.first(input_ids=tokens, width=tokens.shape[1])


def sound_dims(session):
    return [dim if isinstance(dim, int) else extent
            for dim, extent in zip(session.inputs[0].shape, SOUND)]


def expected(folder, encoder, path, seed):
    """Tokens of the decoder at `path`, and by how much each was the best."""
    session = Session(path)
    tokens, lead = [3], []
    if encoder is None:
        source = numpy.array([prompt(seed)])
        known = {"input_ids": source, "width": source.shape[1]}
    else:
        states = encoded(folder, encoder, seed)
        known = {"encoder_hidden_states": states, "width": states.shape[1]}
    for _ in range(TOKENS):
        ids = numpy.array([tokens])
        known["decoder_input_ids"] = ids
        if encoder is not None:
            known["input_ids"] = ids
        row = session.first(**known)[0, -1]
        best = numpy.sort(row)
        tokens.append(int(row.argmax()))
        lead.append(best[-1] - best[-2])
    return tokens[1:], lead


def generated(folder, encoder, decoder, model):
    """A list of tokens a request, and what was said."""
    lines = ""
    for seed in SEEDS:
        lines += "start 1 3\n"
        if is_sound(encoder):
            dims = sound_dims(Session(os.path.join(folder, encoder, "model.onnx")))
            lines += "input input_features %d %d %s\n" % (seed, len(dims),
                                                          " ".join(map(str, dims)))
        else:
            tokens = prompt(seed)
            lines += "tokens %d %s\n" % (len(tokens), " ".join(map(str, tokens)))
    program = os.path.join(corpora.BUILD, "tests", "seq2seq")
    if decoder.endswith("__optimum"): # a folder will do
        model = os.path.dirname(model)
    command = [program, model, str(TOKENS), str(NEVER), "1"]
    if encoder is not None:
        command.append(os.path.join(folder, encoder, "model.onnx"))
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
    return [[int(word) for word in line.split()] for line in done.stdout.splitlines()], done.stderr


def graph(path, how):
    program = os.path.join(corpora.BUILD, "tests", "dump_graph")
    done = subprocess.run([program, path, how], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def is_product(line):
    return any(" = %s" % name in line for name in ("MatMul", "Gemm", "heed.Projections"))


def wrong_split(path):
    """Which of a decoder's products are in the wrong graph; "" when none is."""
    steps, once = graph(path, "paged"), graph(path, "once")
    roles = [line.split() for line in steps if line.startswith("role ")]
    side = {role[1] for role in roles if role[2] == "side"}
    cross = sum(" = heed.FlashAttention" in line and "heed.side" in line for line in steps)
    read = {line.split()[1] for line in steps if line.startswith("in ")}
    if side & read:
        return "steps read %s" % ", ".join(sorted(side & read))
    if any(is_product(line) and "encoder_sequence" in line for line in steps):
        return "steps have products of the encoder's results"
    if not any(is_product(line) for line in once):
        return "no product is computed once"
    outputs = sum(line.startswith("out ") for line in once)
    if cross == 0 or outputs < 2 * cross:
        return "%d values for %d layers" % (outputs, cross)
    return ""


def check(folder, encoder, decoder, made):
    """What is wrong; "" when nothing is."""
    path = with_head(os.path.join(folder, decoder, "model.onnx"), made)
    got, said = generated(folder, encoder, decoder, path)
    if len(got) != len(SEEDS):
        return said.strip() or "too few answers"
    for seed, tokens in zip(SEEDS, got):
        want, lead = expected(folder, encoder, path, seed)
        for place in range(TOKENS):
            if lead[place] < CLOSE: # the rest depends on rounding
                break
            if tokens[:place + 1] != want[:place + 1]:
                return "request %d: %s, not %s" % (seed, tokens, want)
    return wrong_split(path)


def main():
    archive = os.path.join(corpora.SHARED, "models", "corpus.tar.xz")
    if not os.path.exists(archive):
        corpora.skip("the corpus is not there: ../shared/models/corpus.tar.xz")
    folder = os.path.join(corpora.unpacked(archive), "encoders")
    failed = 0
    for encoder, decoder in PAIRS:
        with tempfile.TemporaryDirectory() as made:
            wrong = check(folder, encoder, decoder, made)
        print("%s %s with %s%s" % ("FAILED" if wrong else "ok", decoder, encoder or "its encoder",
                                   ": " + wrong if wrong else ""))
        failed += wrong != ""
    print("%d passed, %d failed, 0 skipped" % (len(PAIRS) - failed, failed))
    sys.exit(1 if failed else 0)


main()
