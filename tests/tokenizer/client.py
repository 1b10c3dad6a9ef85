"""A tokenizer of heed through build/tests/tokens, which stays open from request to request."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOL = Path(os.environ.get("HEED_BUILD", ROOT / "build")) / "tests" / "tokens"
ENCODE, DECODE = 0, 1
PLAIN, SPECIAL = 1, 2


class Refused(Exception):
    """heed said no: its status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def info(path: Path | str) -> dict[str, object]:
    """What heed_tokenizer_get_info says; "ends" is a list."""
    done = subprocess.run([TOOL, str(path), "info"], capture_output=True, text=True, check=False)
    if done.returncode:
        status, _, message = done.stderr.partition(" ")
        raise Refused(int(status), message.strip())
    words = done.stdout.split()
    at = words.index("ends")
    known: dict[str, object] = {k: int(v) for k, v in zip(words[:at:2], words[1:at:2])}
    known["ends"] = [int(word) for word in words[at + 1 :]]
    return known


class Tokenizer:
    """One tokenizer.json, or a folder with one."""

    def __init__(self, path: Path | str) -> None:
        self.process = subprocess.Popen(
            [TOOL, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None
        )

    def close(self) -> None:
        self.process.stdin.close()
        if self.process.wait():
            raise RuntimeError("tokens ended with %d" % self.process.returncode)
        self.process.stdout.close()

    def _ask(self, what: int, flags: int, n: int, data: bytes, size: int) -> bytes:
        self.process.stdin.write(struct.pack("<III", what, flags, n) + data)
        self.process.stdin.flush()
        head = self.process.stdout.read(8)
        if len(head) < 8:
            raise RuntimeError("tokens ended with %s" % self.process.wait())
        status, count = struct.unpack("<II", head)
        answer = self.process.stdout.read(count * (1 if status else size))
        if status:
            raise Refused(status, answer.decode())
        return answer

    def encode(self, text: str | bytes, special: bool = True) -> list[int]:
        data = text if isinstance(text, bytes) else text.encode()
        answer = self._ask(ENCODE, 0 if special else PLAIN, len(data), data, 4)
        return list(struct.unpack("<%di" % (len(answer) // 4), answer))

    def decode(self, ids: Sequence[int], special: bool = False) -> str:
        data = struct.pack("<%di" % len(ids), *ids)
        return self._ask(DECODE, SPECIAL if special else 0, len(ids), data, 1).decode()
