#!/usr/bin/env python3
"""10,000 spellings of attention and of what only looks like it, with seeds that the light run does
not have. See tests/fusion/test_spellings.py, whose options this takes."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, "..", "fusion", "test_spellings.py")
FLAGS = ("--count", "10000", "--seed", "1")

os.execv(sys.executable, [sys.executable, PROGRAM, *FLAGS, *sys.argv[1:]])
