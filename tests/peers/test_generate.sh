#!/bin/sh
# SmolLM2-135M, with and without past tensors: greedy tokens are PyTorch's.
exec sh "$(dirname "$0")/with_models.sh" generate.py
