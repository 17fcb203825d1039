#!/bin/sh
# The tests of the training engine with the newest Keras that there is, pre-releases included; it is installed beside the
# other packages for this one run. Arguments go to pytest.
set -eu
python=${PYTHON:-python}
target=$(mktemp -d)
trap 'rm -rf "$target"' EXIT
"$python" -m pip install --quiet --pre --upgrade --no-deps --target "$target" keras
export PYTHONPATH="$target${PYTHONPATH:+:$PYTHONPATH}"
"$python" -c 'import keras; print("Keras", keras.__version__)'
"$python" -m pytest tests/engine "$@"
