"""Other runtimes that generate: each says how fast it reads a prompt and how fast it goes on.

A peer is left out, with a line that says why, when its package or its form of the model is missing:

    ONNX Runtime     onnxruntime, and an export with past tensors (--past)
    OpenVINO GenAI   openvino-genai; a folder $HEED_PEER_OPENVINO (prepare.py)
    llama.cpp        llama-cpp-python; a float32 GGUF file $HEED_PEER_GGUF (prepare.py)
"""

from __future__ import annotations

import os
import pathlib
import sys
import time
from collections.abc import Iterator

import numpy as np


class Peer:
    """One way to generate greedily from random tokens."""

    name = ""

    def run(self, context: int, tokens: int, seed: int) -> tuple[float, float]:
        """Tokens a second of a prompt, and of what follows."""
        raise NotImplementedError


def prompt(context: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 1000, context)


class OnnxRuntime(Peer):
    """Past tensors are bound to the outputs of the run before, so that nothing is copied."""

    name = "onnxruntime"

    def __init__(self, model: pathlib.Path, threads: int) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = ort.InferenceSession(str(model), options, ["CPUExecutionProvider"])
        names = {value.name: value for value in self.session.get_inputs()}
        self.past = [name for name, v in names.items() if len(v.shape) == 4]
        self.inputs = names
        self.outputs = [value.name for value in self.session.get_outputs()]
        self.value = ort.OrtValue.ortvalue_from_numpy

    def empty(self, name: str) -> np.ndarray:
        shape = [d if isinstance(d, int) else 1 for d in self.inputs[name].shape]
        shape[2] = 0
        return np.zeros(shape, np.float32)

    def step(self, tokens: np.ndarray, past: list, done: int) -> tuple[int, list]:
        binding = self.session.io_binding()
        n = len(tokens)
        given = {
            "input_ids": tokens,
            "attention_mask": np.ones(done + n, np.int64),
            "position_ids": np.arange(done, done + n),
        }
        for name, value in given.items():
            if name in self.inputs:
                binding.bind_cpu_input(name, value.astype(np.int64)[None])
        for name, value in zip(self.past, past):
            binding.bind_ortvalue_input(name, value)
        for name in self.outputs:
            binding.bind_output(name)
        self.session.run_with_iobinding(binding)
        results = binding.get_outputs()
        return int(results[0].numpy()[0, -1].argmax()), results[1:]

    def run(self, context: int, tokens: int, seed: int) -> tuple[float, float]:
        start = time.perf_counter()
        empty = [self.value(self.empty(name)) for name in self.past]
        token, past = self.step(prompt(context, seed), empty, 0)
        first = time.perf_counter()
        for i in range(tokens):
            token, past = self.step(np.array([token]), past, context + i)
        return context / (first - start), tokens / (time.perf_counter() - first)


class OpenVino(Peer):
    """Its own figures: time to the first token, and of those that follow."""

    name = "openvino-genai"

    def __init__(self, folder: str, threads: int) -> None:
        import openvino_genai

        self.genai = openvino_genai
        self.pipe = openvino_genai.LLMPipeline(
            folder, "CPU", INFERENCE_PRECISION_HINT="f32", INFERENCE_NUM_THREADS=threads
        )

    def run(self, context: int, tokens: int, seed: int) -> tuple[float, float]:
        import openvino as ov

        ids = ov.Tensor(prompt(context, seed).astype(np.int64)[None])
        given = self.genai.TokenizedInputs(ids, ov.Tensor(np.ones((1, context), np.int64)))
        config = self.genai.GenerationConfig(max_new_tokens=tokens + 1, ignore_eos=True)
        metrics = self.pipe.generate(given, config).perf_metrics
        first, each = metrics.get_ttft().mean, metrics.get_tpot().mean
        return context / first * 1e3, 1e3 / each


class LlamaCpp(Peer):
    """The evaluation of tokens alone: sampling is an argmax."""

    name = "llama.cpp"

    def __init__(self, file: str, threads: int) -> None:
        import llama_cpp

        self.model = llama_cpp.Llama(
            file, n_ctx=4096, n_threads=threads, n_threads_batch=threads, verbose=False
        )

    def run(self, context: int, tokens: int, seed: int) -> tuple[float, float]:
        self.model.reset()
        start = time.perf_counter()
        self.model.eval(prompt(context, seed).tolist())
        token = self.model.sample(temp=0.0)
        first = time.perf_counter()
        for _ in range(tokens):
            self.model.eval([token])
            token = self.model.sample(temp=0.0)
        return context / (first - start), tokens / (time.perf_counter() - first)


def peers(past: pathlib.Path | None, threads: int) -> Iterator[Peer]:
    """Those that this machine has."""
    makers = {
        OnnxRuntime: past,
        OpenVino: os.environ.get("HEED_PEER_OPENVINO"),
        LlamaCpp: os.environ.get("HEED_PEER_GGUF"),
    }
    for make, source in makers.items():
        try:
            if not source:
                raise FileNotFoundError("its form of the model is not given")
            yield make(source, threads)
        except Exception as error:  # noqa: BLE001 - a peer may be missing in any manner
            print(f"{make.name}: left out, {str(error).splitlines()[0][:90]}", file=sys.stderr)
