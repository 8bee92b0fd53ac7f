#!/usr/bin/env bash
# Makes the virtual environment: bootstrap.sh DIR. A Python of the right age is looked for, $PYTHON first.
set -euo pipefail
venv=${1:?usage: bootstrap.sh DIR}

fail() {
  echo "error: $1" >&2
  exit 3
}

suits() {
  "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

find_python() {
  local name
  if [ -n "${PYTHON:-}" ]; then
    suits "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 to 3.13. Name one that is."
    echo "$PYTHON"
    return
  fi
  for name in python3 python3.13 python3.12 python3.11 python; do
    # The name may be a version manager's shim that leads nowhere, so it is asked, not just found.
    if suits "$name"; then
      echo "$name"
      return
    fi
  done
  fail "No Python 3.11, 3.12 or 3.13 found. Install one, or name it: make run PYTHON=/path/to/python3.12"
}

if [ -x "$venv/bin/python" ]; then
  suits "$venv/bin/python" || fail "$venv was made by another Python than 3.11 to 3.13. Delete the folder and run again."
else
  python=$(find_python)
  # Debian ships venv's pip installer apart from Python.
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
      { apt-get update && apt-get install -y --no-install-recommends python3-venv; } >/dev/null ||
        fail "$python has no venv module, and apt-get could not install python3-venv. Install it and run again."
    else
      fail "$python has no venv module. Install it (Debian, Ubuntu: sudo apt-get install python3-venv) and run again."
    fi
  fi
  "$python" -m venv "$venv" || fail "$python could not make $venv. Delete the folder and run again."
fi
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$venv/bin/python" -m ensurepip >/dev/null ||
  fail "$venv has no pip. Delete the folder and run again."
