#!/bin/sh
# SmolLM2-135M, with and without past tensors: logits and presents are as near to float64 as
# those of ONNX Runtime.
exec sh "$(dirname "$0")/models.sh" smollm2-dynamo-20 smollm2-optimum-past
