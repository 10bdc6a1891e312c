#!/usr/bin/env bash
# Makes sure that the Debian packages the build and the tests need are installed. As root it installs
# what is missing; as anyone else it says what to install. Changes nothing when nothing is missing.
# usage: system-packages.sh [PACKAGE...]
set -euo pipefail

python="${PYTHON:-python3}"

packages=(
  g++
  clang-22 llvm-22 llvm-22-dev          # the front end, opt for the tests, LLVM's static libraries
  libxml2-dev libzstd-dev zlib1g-dev    # what LLVM's CMake files ask for
  csmith libcsmith-dev                  # the programs of csmith-v0
  "$@"                                  # what the caller wants beside these
)

say() { printf 'llmopt-bench: %s\n' "$*" >&2; }

# True if the interpreter is new enough, can make virtual environments and has its C headers.
python_is_ready() {
  "$python" - 2>/dev/null <<'PY'
import ensurepip, pathlib, sys, sysconfig, venv
header = pathlib.Path(sysconfig.get_path("include"), "Python.h")
sys.exit(sys.version_info < (3, 11) or not header.is_file())
PY
}

# Names the packages that are not installed, one per line.
missing_packages() {
  local installed
  installed=" $(dpkg-query --show --showformat='${db:Status-Abbrev}${Package}\n' "${packages[@]}" \
    2>/dev/null | sed -n 's/^ii *//p' | tr '\n' ' ')" || true
  local package
  for package in "${packages[@]}"; do
    [[ $installed == *" $package "* ]] || echo "$package"
  done
  python_is_ready || printf '%s\n' python3 python3-venv python3-dev
}

install() {
  export DEBIAN_FRONTEND=noninteractive
  if ! apt-get update -qq </dev/null; then
    say "cannot read Debian's package lists. Is there a network? Then run again, or install by hand:"
    say "  apt-get install --no-install-recommends $*"
    exit 1
  fi
  local log
  log="$(mktemp)"
  if ! apt-get install -y -qq --no-install-recommends "$@" </dev/null >"$log" 2>&1; then
    cat "$log" >&2
    say "apt-get could not install: $*"
    say "If it finds no llvm-22-dev, add the LLVM project's own apt repository for your release."
    exit 1
  fi
  rm -f "$log"
}

if ! command -v apt-get >/dev/null; then
  python_is_ready || { say "needs Python 3.11 or later with venv and headers, as $python."; exit 1; }
  say "not a Debian system: LLVM 22 with static libraries, clang 22 and csmith are up to you."
  exit 0
fi

mapfile -t missing < <(missing_packages)
[[ ${#missing[@]} -eq 0 ]] && exit 0

if [[ $(id -u) -ne 0 ]]; then
  say "these Debian packages are missing: ${missing[*]}"
  say "Install them as root, then run make again:"
  say "  apt-get install --no-install-recommends ${missing[*]}"
  exit 1
fi

say "installing these Debian packages, which are missing: ${missing[*]}"
install "${missing[@]}"
if ! python_is_ready; then
  say "needs Python 3.11 or later with venv and headers; $python is not. Use: make PYTHON=..."
  exit 1
fi
