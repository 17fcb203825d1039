#!/usr/bin/env bash
# Run exported .tflite files on emulated 64-bit ARM, and compare with this processor.
#
# Fetches what that takes into arm64-state/, once: QEMU (unless it is installed), a Debian system for ARM with Python,
# and LiteRT for ARM from PyPI, in the version that is installed here. Nothing is installed into the running system and
# no root is needed. Where one of them is not available, it says so and exits with 0: then nothing was checked.
set -euo pipefail
cd "$(dirname "$0")/.."
case " $* " in
*" --help "* | *" -h "*)
    cat <<'HELP'
Usage: scripts/check_arm64.sh [--samples N] [NAME...]

Export pretrained models (default: one of each kind) in float32, float16, dynamic and int8, run every signature of every
file with zoo.lite on emulated 64-bit ARM processors, and compare with what the same file computes here. int8 must be
exact, float32 and float16 within 1e-5, dynamic within 1e-3. The result is written to docs/arm64.json and into
docs/mobile.md, unless models or samples were chosen.

  --samples N  samples of the model's test split to compare on, at least 1 [default: 32]

Python is taken from .venv, from the variable PYTHON, or is python3; it needs the zoo installed. Whatever was fetched or
exported stays in arm64-state/ and is used again. Exit code: 0 for agreement, or where there is no emulator and nothing
was checked; 1 for a difference; 2 for wrong arguments.
HELP
    exit 0
    ;;
esac

state=$PWD/arm64-state
if [ -z "${PYTHON:-}" ]; then
    PYTHON=python3
    [ ! -x .venv/bin/python ] || PYTHON=.venv/bin/python
fi

# The packages that zoo.lite needs, as they are installed here.
requirements=$("$PYTHON" -c '
from importlib.metadata import version
print(*(f"{p}=={version(p)}" for p in ("ai-edge-litert", "flatbuffers", "numpy")))' 2>/dev/null) || {
    echo "Error: $PYTHON lacks the zoo. Run make install, or set PYTHON to a Python that has it." >&2
    exit 2
}

unavailable() {
    echo "Not checked on 64-bit ARM: $*."
    exit 0
}

[ "$(uname -sm)" = "Linux x86_64" ] || unavailable "this emulation is for Linux on x86-64, not for $(uname -sm)"
emulator=$(command -v qemu-aarch64-static || command -v qemu-aarch64 || true)
[ -n "$emulator" ] || [ ! -e "$state/emulator/.complete" ] || emulator=$state/emulator/usr/bin/qemu-aarch64-static
if [ -z "$emulator" ] || [ ! -e "$state/system/.complete" ]; then
    for tool in apt-get dpkg-deb; do
        command -v "$tool" >/dev/null || unavailable "neither an emulator with an ARM system nor $tool to fetch them is here"
    done
fi

# apt with lists, packages and status of its own. The first argument is the architecture.
own_apt() {
    local folder=$state/apt-$1
    mkdir -p "$folder/lists/partial" "$folder/archives/partial"
    touch "$folder/status"
    apt-get -qq -o APT::Architecture="$1" -o APT::Architectures::="$1" -o Dir::State="$folder" \
        -o Dir::State::Lists="$folder/lists" -o Dir::State::status="$folder/status" -o Dir::Cache="$folder" \
        -o Dir::Cache::archives="$folder/archives" -o Debug::NoLocking=1 -o APT::Sandbox::User= \
        -o Acquire::Languages=none "${@:2}" >&2
}

# Unpack packages and what they depend on: architecture, folder, packages.
unpack() {
    [ ! -e "$2/.complete" ] || return 0
    echo "Fetching ${*:3} for $1 ..." >&2
    rm -rf "$2" "$state/apt-$1" && mkdir -p "$2"
    own_apt "$1" update || return 1
    own_apt "$1" install --yes --download-only --no-install-recommends "${@:3}" || return 1
    for package in "$state/apt-$1/archives"/*.deb; do
        dpkg-deb -x "$package" "$2" || return 1
    done
    [ -e "$2/lib" ] || ln -s usr/lib "$2/lib" # as a newer Debian has it; no package brings this link
    touch "$2/.complete"
    rm -rf "$state/apt-$1"
}

if [ -z "$emulator" ]; then
    unpack amd64 "$state/emulator" qemu-user-static || unavailable "QEMU is not installed and apt-get cannot fetch it"
    emulator=$state/emulator/usr/bin/qemu-aarch64-static
fi
unpack arm64 "$state/system" python3 libstdc++6 || unavailable "apt-get cannot fetch a system for arm64"

minor=$(basename "$(ls -d "$state"/system/usr/lib/python3.*/ | head -1)")
minor=${minor#python}
packages="$state/packages-$(echo "$requirements" | tr -dc 'a-z0-9.')-$minor"
if [ ! -e "$packages/.complete" ]; then
    echo "Fetching $requirements for aarch64 and Python $minor ..." >&2
    rm -rf "$packages"
    # shellcheck disable=SC2046,SC2086 # words
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --python-version "$minor" --implementation cp \
        $(printf -- '--platform manylinux_2_%s_aarch64 ' 17 24 26 27 28 31 34 35) --platform manylinux2014_aarch64 \
        --target "$packages" $requirements >&2 || unavailable "pip cannot fetch $requirements for aarch64"
    touch "$packages/.complete"
fi

exec "$PYTHON" scripts/check_arm64.py --state "$state" --emulator "$emulator" --packages "$packages" "$@"
