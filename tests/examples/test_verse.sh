#!/bin/sh
# The embedded model gives the golden tokens of PyTorch, on every backend, and the check can fail.
set -eu
verse=$HEED_BUILD/examples/verse
golden=examples/verse/golden.json
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$verse" --check "$golden"
"$verse" --backends reference --check "$golden"
"$verse" --tokens 3 "And the LORD" | grep -q '^And the LORD'

# One other token must be noticed.
sed 's/"tokens": \[[0-9]*/"tokens": [0/' "$golden" >"$work/wrong.json"
if "$verse" --check "$work/wrong.json" >"$work/out"; then
    echo "a wrong golden file passed:"
    cat "$work/out"
    exit 1
fi
