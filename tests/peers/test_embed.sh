#!/bin/sh
# MiniLM-L6-v2: vectors of texts are those of ONNX Runtime and the tokenizers package.
exec sh "$(dirname "$0")/with_models.sh" embed.py
