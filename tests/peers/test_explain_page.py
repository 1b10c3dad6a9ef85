#!/usr/bin/env python3
"""The page of `heed explain --html` in headless Chromium: what its script makes of the data."""

from __future__ import annotations

import html.parser
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "cli"), str(HERE.parent / "support")]
import command  # noqa: E402
import test_explain as explain  # noqa: E402
from command import FOLDER, heed, write  # noqa: E402
from onnx_writer import FLOAT, value  # noqa: E402

SKIPPED = 77
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")


class Page(html.parser.HTMLParser):
    """Elements with their attributes and text, in the order of the document."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[dict] = []
        self.open: list[dict] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        element = {"tag": tag, "text": "", **{k: v or "" for k, v in attrs}}
        self.elements.append(element)
        if tag not in ("meta", "link", "br"):
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()["tag"] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element["text"] += data

    def having(self, name: str, word: str) -> list[dict]:
        return [e for e in self.elements if word in e.get(name, "").split()]


def look(content: bytes, fragment: str = "") -> Page:
    """The document after its script ran."""
    target = FOLDER / "page.html"
    heed("explain", write("explain.onnx", content), "--html", target)
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
             f"--user-data-dir={profile}", "--virtual-time-budget=5000",
             f"file://{target}{fragment}"], capture_output=True, text=True, timeout=120)
    page = Page()
    page.feed(done.stdout)
    assert page.having("data-ready", "yes"), "the page's script did not reach its end"
    return page


def test_sites_are_coloured() -> None:
    page = look(explain.graph(*explain.router(), outputs=[value("routed", FLOAT, None)]))
    assert [s["class"] for s in page.having("class", "site")] == ["site fused", "site other"]
    fused = [n["text"] for n in page.having("class", "fused") if n["tag"] == "g"]
    assert [t.split("Transpose_kt")[0] for t in fused][0] == "Transpose"
    assert sum("FlashAttention" in t for t in fused) == 1 and len(fused) == 7
    assert not page.having("class", "picked")


def test_a_site_shows_its_nodes() -> None:
    page = look(explain.graph(), "#site-0")
    picked = page.having("class", "picked")
    assert len(picked) == 7  # six before, one after
    assert page.having("id", "detail-title")[0]["text"] == "Fused"
    listed = [e["text"] for e in page.elements if e["tag"] == "li"]
    assert len(listed) == 6 and listed[0].split() == ["Transpose", "Transpose_kt"]
    assert "heed.FlashAttention" in page.having("id", "detail")[0]["text"]


def test_what_is_not_fused_says_why() -> None:
    page = look(explain.graph(mixed=True), "#site-0")
    assert [s["class"] for s in page.having("class", "site")] == ["site missed"]
    assert page.having("id", "detail-title")[0]["text"] == "Not fused"
    assert "MatMul_talked" in page.having("id", "detail")[0]["text"]


if __name__ == "__main__":
    if not BROWSER:
        print("SKIPPED: there is no Chromium")
        sys.exit(SKIPPED)
    sys.exit(command.main(globals()))
