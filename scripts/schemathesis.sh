#!/bin/sh
# Tries the whole OpenAPI document against a gateway of its own: schemathesis makes requests that are right and
# wrong by the document, and every answer has to be one that the document tells. Takes a few minutes.
#
#   scripts/schemathesis.sh                  as CI does, always with the same requests
#   scripts/schemathesis.sh --seed 7 …       other options of `schemathesis run`
set -eu

here=$(cd "$(dirname "$0")" && pwd)
engines=${KMRL_ENGINES_DIR:-$here/../.engines}
gateway=${SCHEMATHESIS_GATEWAY:-${CARGO_TARGET_DIR:-$here/../target}/debug/kmrl-gateway}
wanted=$here/schemathesis/requirements.txt

say() { echo "schemathesis: $*"; }
fail() { echo "schemathesis: $*" >&2; exit 1; }

# An environment for each set of versions; one that was not finished is made again.
environment=$engines/schemathesis-$(cksum <"$wanted" | cut -d ' ' -f 1)
if [ ! -e "$environment/done" ]; then
    command -v python3 >/dev/null || fail "needs python3 of version 3.11 or newer"
    say "installing $(grep -o '^schemathesis==[0-9.]*' "$wanted") into $environment"
    rm -rf "$environment"
    mkdir -p "$engines"
    python3 -m venv "$environment" || fail "python3 cannot make environments: install python3-venv"
    "$environment/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --require-hashes --requirement "$wanted"
    touch "$environment/done"
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/kmrl-schemathesis.XXXXXX")
pid=
# In order: the gateway ends its engines, then the folder goes.
finish() {
    [ -z "$pid" ] || { kill -TERM "$pid" 2>/dev/null || true; wait "$pid" || true; }
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

SCHEMATHESIS_KEY=schemathesis-0123456789abcdef
export SCHEMATHESIS_KEY KMRL_ENGINES_DIR="$engines"
# Nothing is to be hidden by a rate. Waits that a request may ask for are short here, and checkpoints come soon, as evidence waits for them.
KMRL_API_KEY=$SCHEMATHESIS_KEY KMRL_APPROVER_KEY=approver-0123456789abcdef KMRL_DATA_DIR=$work/data \
    KMRL_LISTEN=127.0.0.1:0 KMRL_LOG=warn KMRL_LOG_CHECKPOINT_EVERY=1 KMRL_HTTP_MIN_POSITION_WAIT=1 \
    KMRL_LIMITS_UPLOADS=0 KMRL_LIMITS_QUERIES=0 KMRL_LIMITS_COMMANDS=0 KMRL_LIMITS_HEALTH=0 \
    KMRL_LIMITS_SOURCE_UPLOADS=0 KMRL_LIMITS_ADDRESS_REQUESTS=0 \
    "$gateway" up >"$work/gateway.log" 2>&1 &
pid=$!
address=
tries=0
while [ -z "$address" ]; do
    tries=$((tries + 1))
    kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 240 ] || { cat "$work/gateway.log" >&2; fail "the gateway does not start"; }
    sleep 0.5
    address=$(awk '$1 == "address" { print $2 }' "$work/gateway.log")
done

# Run where nothing of an earlier run is found and tried again.
cd "$work"
cp "$here/schemathesis/schemathesis.toml" "$here/schemathesis/hooks.py" .
status=0
"$environment/bin/schemathesis" --config-file schemathesis.toml --no-color run "$address/openapi.json" "$@" \
    >"$work/report.txt" 2>&1 || status=$?
if [ "$status" -ne 0 ]; then
    cat "$work/report.txt"
    tail -n 50 "$work/gateway.log"
    fail "there are findings; again: scripts/schemathesis.sh --seed $(sed -n 's/^Seed: //p' "$work/report.txt")"
fi
sed -n '/SUMMARY/,$p' "$work/report.txt"
