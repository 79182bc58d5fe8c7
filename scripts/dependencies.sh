#!/bin/sh
# Checks what the dependencies are: their licences, that they come from the registry, and that none is
# asked for in any version. deny.toml says what may be.
#
#   scripts/dependencies.sh               as CI does
#   scripts/dependencies.sh advisories    known advisories and yanked versions too, where GitHub is reachable
set -eu

cd "$(dirname "$0")/.."
PATH=$PATH:${KMRL_ENGINES_DIR:-$PWD/.engines}
export PATH

case ${1:-} in
    "") exec cargo-deny --locked check licenses bans sources ;;
    advisories) exec cargo-deny --locked check ;;
    *) echo "dependencies: what is «$1»?" >&2 && exit 2 ;;
esac
