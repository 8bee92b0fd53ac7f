#!/usr/bin/env bash
# Every gate, then the tests: check.sh BIN [pytest arguments]. All gates run, so that one run tells everything;
# pytest comes last, so that its summary ends the output.
set -uo pipefail
bin=${1:?usage: check.sh BIN [pytest arguments]}
shift
failed=()

gate() {
  local name=$1
  shift
  echo "== $name"
  "$@" || failed+=("$name")
}

gate "ruff format" "$bin/ruff" format --check .
gate "ruff check" "$bin/ruff" check .
gate "mypy" "$bin/python" -m mypy trt_core pages
gate "import-linter" "$bin/lint-imports" --no-cache
echo "== pytest"
"$bin/python" -m pytest "$@"
tests=$?

if [ ${#failed[@]} -gt 0 ]; then
  echo "error: these gates failed before the tests: ${failed[*]}" >&2
  exit 1
fi
exit "$tests"
