#!/usr/bin/env python3
"""docs/operators.md has a line for every operator of the registry, and for no other."""

import os
import subprocess
import sys

import corpora

PROGRAM = os.path.join(corpora.BUILD, "tests", "list_operators")
if not os.path.exists(PROGRAM):
    corpora.skip("list_operators is not built")
TOOL = os.path.join(corpora.ROOT, "tools", "operators")
done = subprocess.run([sys.executable, TOOL, corpora.BUILD, "--check"], check=False)
if done.returncode:
    print("tools/operators BUILD writes the page anew")
sys.exit(done.returncode)
