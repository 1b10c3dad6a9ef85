#!/bin/sh
# Compares heed with ONNX Runtime on the real models named. Separate because it alone knows
# where tests/models/make puts them and which Python has the packages. No test by itself.
#
#   tests/peers/models.sh MODELDIR...
set -u
cache=${HEED_CACHE:-${HOME:-/tmp}/.cache/heed}
python=${HEED_MODELS_PYTHON:-$cache/venv-models/bin/python}
here=$(cd "$(dirname "$0")" && pwd)

if [ ! -x "$python" ]; then
    echo "peers: $python is missing; tests/models/make makes it"
    exit 77
fi
passed=0
failed=0
skipped=0
for name in "$@"; do
    model=$cache/models/$name
    if [ ! -d "$model" ]; then
        echo "$name: not made; run tests/models/make"
        skipped=$((skipped + 1))
    elif "$python" "$here/../models/compare.py" "$model" --heed "$HEED_BUILD/heed"; then
        passed=$((passed + 1))
    else
        echo "$name: differs"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
