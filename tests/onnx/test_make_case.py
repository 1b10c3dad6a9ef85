"""make_case.py: what it makes passes, what is then spoilt does not, mistakes are named; and the
example of CONTRIBUTING.md is the file that it names."""
import os
import subprocess
import sys
import tempfile

import corpora

try:
    import numpy as np
    from onnx import numpy_helper

    import make_case
except ImportError as error:
    corpora.skip(f"{error}; the packages of tests/requirements.txt are needed")

GOOD = {
    "SwiGLU": ["A=float32:2x3", "B=float32:2x3", "alpha=1.5"],
    "Clip": ["input=float32:4x5", "max=float32:"],
    "Concat": ["inputs.0=int64:2x3", "inputs.1=int64:2x1", "axis=-1"],
    "ReduceSum": ["data=float32:2x0x3", "axes=int64[0,-1]", "keepdims=0"],
    "Transpose": ["data=float32:2x3x4:0..1", "perm=2,0,1"],
}
BAD = {
    "SwiGLU": ["A=float32:2x3", "C=float32:2x3"],
    "Clip": ["input=float32*2"],
    "Nothing": [],
}


def test(folder):
    return subprocess.run([corpora.HEED, "test", folder], stdout=subprocess.DEVNULL,
                          check=False).returncode


def spoil(folder):
    path = os.path.join(folder, "test_data_set_0", "output_0.pb")
    with open(path, "rb") as file:
        tensor = numpy_helper.to_array(numpy_helper.onnx.TensorProto.FromString(file.read()))
    with open(path, "wb") as file:
        file.write(numpy_helper.from_array(tensor + np.float32(1)).SerializeToString())


def check_good(root):
    for op, words in GOOD.items():
        for dims in ("fixed", "unknown"):
            folder = os.path.join(root, f"{op}-{dims}")
            make_case.make(folder, op, words, dims=dims)
            yield f"{op}, {dims} dims", test(folder) == 0
    spoil(os.path.join(root, "SwiGLU-fixed"))
    yield "a spoilt case fails", test(os.path.join(root, "SwiGLU-fixed")) == 1


def check_bad(root):
    for op, words in BAD.items():
        try:
            make_case.make(os.path.join(root, "bad"), op, words)
            yield f"{op} {words} is refused", False
        except make_case.Mistake:
            yield f"{op} {words} is refused", True


def check_example():
    def read(*path):
        with open(os.path.join(corpora.ROOT, *path), encoding="utf-8") as file:
            return file.read()
    shown = read("core", "ops", "swiglu.c") in read("CONTRIBUTING.md")
    yield "CONTRIBUTING.md shows swiglu.c", shown


def main():
    if not os.path.exists(corpora.HEED):
        corpora.skip("there is no heed in the build folder")
    with tempfile.TemporaryDirectory() as root:
        results = [*check_good(root), *check_bad(root), *check_example()]
    for name, good in results:
        if not good:
            print("FAILED " + name)
    failed = sum(not good for _, good in results)
    print(f"{len(results) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
