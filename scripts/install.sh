#!/usr/bin/env bash
# Installs the library, editable, with the extras, into a virtual environment that it makes.
# usage: install.sh VENV EXTRAS
set -euo pipefail

venv="$1"
extras="$2"
python="${PYTHON:-python3}"
export PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf 'llmopt-bench: %s\n' "$*" >&2; }

pip() {
  "$venv/bin/python" -m pip --no-input "$@" && return
  say "pip failed, see above. If it could not find packages: is there a network?"
  exit 1
}

# What the build needs, as pyproject.toml says; CMake and Ninja come from there too, because Debian's
# may be missing, and a build without isolation gets no tools of its own.
build_requirements() {
  "$venv/bin/python" - <<'PY'
import pathlib, tomllib
print(*tomllib.loads(pathlib.Path("pyproject.toml").read_text())["build-system"]["requires"], sep="\n")
PY
}

# An environment whose making was cut short, or whose interpreter is gone, is made again.
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  say "making $venv"
  "$python" -m venv --clear "$venv"
fi

mapfile -t requirements < <(build_requirements)
say "getting the build tools: ${requirements[*]} cmake ninja"
pip install --quiet "${requirements[@]}" cmake ninja

# First of all, and by its exact version: then a build for the CPU alone, where pip finds one of that
# version, is preferred to one with gigabytes of CUDA, since "2.13.0+cpu" counts as newer.
case ",$extras," in
  *,rl,* | *,llm,* | *,all,*)
    say "getting ${TORCH:=torch}"
    pip install --quiet "$TORCH"
    ;;
esac

# Without isolation: the build tree then survives, and a small change compiles in seconds.
say "building and installing the library with [$extras]; the first build takes some minutes"
pip install --quiet --no-build-isolation --editable ".[$extras]"
