#!/usr/bin/env bash
# Builds a wheel that needs no LLVM where it is installed, into wheelhouse/.
# usage: wheel.sh VENV
set -euo pipefail

bin="$(realpath "$1")/bin"
raw="$(mktemp -d)"
trap 'rm -rf "$raw"' EXIT

say() { printf 'llmopt-bench: %s\n' "$*" >&2; }

# A build tree of its own: an isolated build has other paths and would undo the one of .venv.
rm -rf build/wheel
say "building the wheel in isolation; this takes some minutes"
"$bin/python" -m build --wheel --outdir "$raw" --config-setting=build-dir=build/wheel . >"$raw/log" ||
  { cat "$raw/log" >&2; say "the build failed, see above."; exit 1; }

# What the extension needs of the machine goes into the wheel, all but what every Linux has.
PATH="$bin:$PATH" "$bin/python" -m auditwheel repair --wheel-dir wheelhouse "$raw"/*.whl

for wheel in "$raw"/*.whl; do
  name="$(basename "$wheel")"
  for repaired in wheelhouse/"${name%-*}"-*.whl; do
    say "$repaired: $(($(stat --format=%s "$repaired") / 1000000)) MB"
  done
done
