#!/bin/sh
# Many sequences at once: each gives what it gives among fewer, and equal beginnings are shared.
set -eu
many=$HEED_BUILD/examples/many
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$many" examples/verse/verse.onnx 3 | grep -v ' steps, ' >"$work/few"
"$many" examples/verse/verse.onnx 200 >"$work/many"
head -n "$(($(wc -l <"$work/few") - 1))" "$work/few" >"$work/start"
head -n "$(wc -l <"$work/start")" "$work/many" | cmp - "$work/start"
grep -q '^199: ' "$work/many"
tail -n 1 "$work/many" | grep -Eq '^[0-9]+ tokens in [0-9]+ steps, [1-9][0-9]* prompt tokens'
