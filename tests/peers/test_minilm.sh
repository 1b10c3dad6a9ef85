#!/bin/sh
# MiniLM-L6-v2, both exports and the 8-bit file: within 1e-4 of ONNX Runtime.
exec sh "$(dirname "$0")/models.sh" minilm-dynamo-18 minilm-torchscript-14 minilm-int8
