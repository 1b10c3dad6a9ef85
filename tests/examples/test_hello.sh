#!/bin/sh
# The fifteen lines give the right numbers, and say what is wrong with a model that is not there.
set -eu
hello=$HEED_BUILD/examples/hello

test "$("$hello" | tr '\n' ' ')" = "22.5 27.5 49.5 63.5 "
if "$hello" nowhere.onnx 2>/dev/null; then
    echo "no error for a model that is not there"
    exit 1
fi
"$hello" nowhere.onnx 2>&1 | grep -q nowhere.onnx
