#!/usr/bin/env bash
# Pins everything anew from pyproject.toml: lock.sh BIN. The comment that opens each file is kept.
set -euo pipefail
bin=${1:?usage: lock.sh BIN}
command -v "$bin/uv" >/dev/null || "$bin/python" -m pip install --quiet uv

# Extras stay on the pins: pip before 23.3 resolves `a[x]` past a pin of plain `a`, and then misses its hash.
pin() { # file, then uv's arguments
  local file=$1 pins
  shift
  pins=$(mktemp)
  "$bin/uv" pip compile --quiet --generate-hashes --no-strip-extras --no-emit-index-url --no-header --no-annotate "$@" -o "$pins"
  { sed '/^[^#]/,$d' "$file"; cat "$pins"; } > "$file.new"
  mv "$file.new" "$file"
  rm "$pins"
}

pin requirements.txt --universal --fork-strategy fewest --python-version 3.11 --extra app --extra rtx pyproject.toml
# The wanted test tools alone, held to the versions that the application has.
"$bin/python" - > requirements-test.in <<'PYTHON'
import tomllib
print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["test"]))
PYTHON
trap 'rm -f requirements-test.in requirements-gpu86.in' EXIT
pin requirements-test.txt --universal --fork-strategy fewest --python-version 3.11 -c requirements.txt requirements-test.in
cat > requirements-gpu86.in <<'PINS'
cuda-python>=12.9,<12.10
jinja2
ml_dtypes
numpy==2.2.6
nvidia-ml-py
onnx==1.18.0
onnxruntime==1.23.2
polygraphy
psutil
pytest
PINS
pin requirements-gpu86.txt --python-version 3.10 --python-platform x86_64-manylinux_2_28 requirements-gpu86.in
