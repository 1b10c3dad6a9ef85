#!/bin/sh
# The twelve lines give the golden text of both exports, and say what is wrong.
set -eu
stream=$HEED_BUILD/examples/stream
verse=examples/verse

want="the angel of the LORD, and the LORD was kindled against him, and he said, Behold,"
"$stream" | tr '\n' ' ' | grep -qF "$want"
"$stream" $verse/verse-past.onnx "And I saw" | tr '\n' ' ' | grep -qF "$want"
test "$("$stream" $verse/verse.onnx "My beloved")" != "$("$stream")"
if "$stream" nowhere.onnx 2>/dev/null; then
    echo "no error for a model that is not there"
    exit 1
fi
"$stream" nowhere.onnx 2>&1 | grep -q nowhere.onnx
