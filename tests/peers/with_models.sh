#!/bin/sh
# Runs a script of tests/models in the environment that the models were made in. No test by itself.
set -u
cache=${HEED_CACHE:-${HOME:-/tmp}/.cache/heed}
python=${HEED_MODELS_PYTHON:-$cache/venv-models/bin/python}
here=$(cd "$(dirname "$0")" && pwd)
script=$1
shift
if [ ! -x "$python" ]; then
    echo "peers: $python is missing; tests/models/make makes it"
    exit 77
fi
exec "$python" "$here/../models/$script" --heed "$HEED_BUILD/heed" "$@"
