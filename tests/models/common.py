"""What the model scripts share: the cache folder, weight packages, and finished-or-not."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable
from pathlib import Path


def cache() -> Path:
    """The folder of all made models: $HEED_CACHE/models, by default ~/.cache/heed/models."""
    root = os.environ.get("HEED_CACHE") or Path.home() / ".cache" / "heed"
    return Path(root) / "models"


def package_folder(name: str) -> Path:
    """Where an installed package lies; it is found but not imported."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"package {name} is missing: run tests/models/make")
    return Path(spec.submodule_search_locations[0])


def make(name: str, write: Callable[[Path], None]) -> None:
    """Lets `write` fill a folder of the cache, unless it is there; a failed one leaves nothing."""
    folder = cache() / name
    if any(folder.glob("*.onnx")):
        print(f"{name}: there already")
        return
    print(f"{name}: making", flush=True)
    draft = folder.with_name(name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    write(draft)
    draft.rename(folder)
    size = sum(f.stat().st_size for f in folder.iterdir()) / 1e6
    print(f"{name}: {size:.1f} MB in {folder}")


def accompany(name: str, write: Callable[[Path], None]) -> None:
    """Lets `write` put a tokenizer and configuration beside a made model, unless they are there."""
    folder = cache() / name
    if (folder / "tokenizer.json").exists():
        return
    draft = folder.with_name(name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    write(draft)
    for made in draft.iterdir():
        made.replace(folder / made.name)
    draft.rmdir()
    print(f"{name}: has its tokenizer")
