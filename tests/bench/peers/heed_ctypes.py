"""heed in this process, through ctypes on the public C interface (core/include/heed/heed.h).

Only what the benchmarks need: sessions, runs on NumPy arrays, statistics. Inputs are wrapped, not
copied; outputs are the runtime's own tensors, handed out as NumPy copies when asked for.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, byref, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_uint64
from ctypes import c_void_p
from pathlib import Path

import numpy as np

BUILD = Path(__file__).resolve().parents[3] / "build"
DTYPES = {1: np.float32, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16, 11: np.float64}
try:
    import ml_dtypes

    DTYPES[16] = ml_dtypes.bfloat16
except ImportError:  # it comes with onnx
    pass
NUMBERS = {np.dtype(kind): number for number, kind in DTYPES.items()}


class Error(ctypes.Structure):
    """heed_error."""

    _fields_ = [
        ("status", c_uint32),
        ("reserved", c_uint32),
        ("offset", c_uint64),
        *((name, c_char_p) for name in ("message", "element", "expected", "found", "hint")),
    ]


class SessionStats(ctypes.Structure):
    """heed_session_stats."""

    _fields_ = [
        ("size", c_uint32),
        ("reserved", c_uint32),
        ("nodes_imported", c_size_t),
        ("nodes", c_size_t),
        *((name, c_uint64) for name in ("load_ns", "passes_ns", "prepare_ns")),
        *((name, c_uint64) for name in ("plans", "plan_hits", "plan_misses")),
        ("arena_bytes", c_uint64),
        ("steps", c_uint64),
    ]


class SessionOptions(ctypes.Structure):
    """heed_session_options."""

    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("backends", c_char_p),
        ("plan_limit", c_uint64),
        ("attention", c_char_p),
    ]


SIGNATURES = {
    "heed_error_get": (POINTER(Error), []),
    "heed_set_threads": (c_uint32, [c_uint32]),
    "heed_get_threads": (c_uint32, []),
    "heed_tensor_wrap": (c_void_p, [c_uint32, c_int32, POINTER(c_int64), c_void_p]),
    "heed_tensor_free": (None, [c_void_p]),
    "heed_tensor_get_dtype": (c_uint32, [c_void_p]),
    "heed_tensor_get_ndim": (c_int32, [c_void_p]),
    "heed_tensor_get_dims": (POINTER(c_int64), [c_void_p]),
    "heed_tensor_get_bytes": (c_uint64, [c_void_p]),
    "heed_tensor_get_data": (c_void_p, [c_void_p]),
    "heed_model_load": (c_uint32, [c_char_p, c_void_p, POINTER(c_void_p)]),
    "heed_model_free": (None, [c_void_p]),
    "heed_session_open": (c_uint32, [c_char_p, POINTER(SessionOptions), POINTER(c_void_p)]),
    "heed_session_free": (None, [c_void_p]),
    "heed_generator_open": (c_uint32, [c_char_p, c_void_p, POINTER(c_void_p)]),
    "heed_generator_free": (None, [c_void_p]),
    "heed_session_get_stats": (None, [c_void_p, POINTER(SessionStats)]),
    "heed_session_run": (
        c_uint32,
        [c_void_p, c_void_p, c_size_t, POINTER(c_char_p), POINTER(c_void_p)]
        + [c_size_t, POINTER(c_char_p), POINTER(c_void_p)],
    ),
}


class Library:
    """libheed.so of a build folder; its plugins are found beside it."""

    def __init__(self, build: Path = BUILD) -> None:
        plugins = sorted((build / "lib").glob("**/plugins-1"))
        if plugins:
            os.environ.setdefault("HEED_PLUGIN_PATH", str(plugins[0]))
        self.c = ctypes.CDLL(str(build / "lib" / "libheed.so"))
        for name, (result, arguments) in SIGNATURES.items():
            function = getattr(self.c, name)
            function.restype, function.argtypes = result, arguments

    def check(self, status: int) -> None:
        """Raises what the library says about a failed call."""
        if status:
            raise RuntimeError(self.c.heed_error_get().contents.message.decode())

    def set_threads(self, count: int) -> None:
        """Sets the size of the pool, the caller included."""
        self.check(self.c.heed_set_threads(count))

    def load(self, path: Path) -> int:
        """heed_model_load; free it with c.heed_model_free."""
        model = c_void_p()
        self.check(self.c.heed_model_load(str(path).encode(), None, byref(model)))
        return model.value

    def open(
        self, path: Path, backends: str | None = None, attention: str | None = None
    ) -> Session:
        """heed_session_open."""
        options = SessionOptions(ctypes.sizeof(SessionOptions))
        options.backends = backends.encode() if backends else None
        options.attention = attention.encode() if attention else None
        handle = c_void_p()
        self.check(self.c.heed_session_open(str(path).encode(), byref(options), byref(handle)))
        return Session(self, handle.value)


class Session:
    """A session of the library."""

    def __init__(self, library: Library, handle: int) -> None:
        self.library, self.c, self.handle = library, library.c, handle

    def free(self) -> None:
        """heed_session_free."""
        self.c.heed_session_free(self.handle)
        self.handle = None

    def stats(self) -> SessionStats:
        """heed_session_get_stats."""
        stats = SessionStats(ctypes.sizeof(SessionStats))
        self.c.heed_session_get_stats(self.handle, byref(stats))
        return stats

    def bind(self, feeds: dict[str, np.ndarray], outputs: list[str]) -> Call:
        """A run with all its arguments ready, to be called many times."""
        return Call(self, feeds, outputs)


class Call:
    """One set of inputs and wanted outputs; run() costs the C call and little else."""

    def __init__(self, session: Session, feeds: dict[str, np.ndarray], outputs: list[str]) -> None:
        self.session, self.c = session, session.c
        self.arrays = [np.ascontiguousarray(array) for array in feeds.values()]
        self.inputs = (c_void_p * len(feeds))(*map(self.wrap, self.arrays))
        self.in_names = (c_char_p * len(feeds))(*(name.encode() for name in feeds))
        self.out_names = (c_char_p * len(outputs))(*(name.encode() for name in outputs))
        self.outputs = (c_void_p * len(outputs))()

    def wrap(self, array: np.ndarray) -> int:
        """heed_tensor_wrap on the array's memory."""
        dims = (c_int64 * max(array.ndim, 1))(*array.shape)
        data = array.ctypes.data
        handle = self.c.heed_tensor_wrap(NUMBERS[array.dtype], array.ndim, dims, data)
        if not handle:
            raise RuntimeError("heed_tensor_wrap failed")
        return handle

    def run(self) -> None:
        """heed_session_run; the outputs of the run before are freed."""
        self.free_outputs()
        status = self.c.heed_session_run(
            self.session.handle,
            None,
            len(self.inputs),
            self.in_names,
            self.inputs,
            len(self.outputs),
            self.out_names,
            self.outputs,
        )
        self.session.library.check(status)

    def free_outputs(self) -> None:
        """Frees what the last run gave."""
        for i, handle in enumerate(self.outputs):
            self.c.heed_tensor_free(handle)
            self.outputs[i] = None

    def fetch(self, i: int) -> np.ndarray:
        """Output i of the last run, copied."""
        tensor = self.outputs[i]
        dims = self.c.heed_tensor_get_dims(tensor)
        shape = [dims[axis] for axis in range(self.c.heed_tensor_get_ndim(tensor))]
        size = self.c.heed_tensor_get_bytes(tensor)
        raw = ctypes.string_at(self.c.heed_tensor_get_data(tensor), size)
        dtype = DTYPES[self.c.heed_tensor_get_dtype(tensor)]
        return np.frombuffer(raw, dtype).reshape(shape)

    def free(self) -> None:
        """Frees outputs and input wrappers."""
        self.free_outputs()
        for handle in self.inputs:
            self.c.heed_tensor_free(handle)
