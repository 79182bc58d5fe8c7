#!/bin/sh
# Stands in for the extraction child: misbehaves as the name of the document says.
read -r handover
name=${handover#*'"file_name":"'}
case "${name%%'"'*}" in
stops-when-asked)
    trap 'echo "{\"refused\":{\"code\":\"cancelled\",\"pages_done\":3,\"pages\":9}}"; exit 0' TERM
    echo '{"page":{"page":3,"pages":9}}'
    while :; do sleep 0.05; done
    ;;
never-stops)
    trap '' TERM
    echo '{"page":{"page":1,"pages":2}}'
    while :; do sleep 0.05; done
    ;;
lingers)
    exec >&-
    while :; do sleep 0.05; done
    ;;
segfault) kill -SEGV $$ ;;
exits-early) exit 3 ;;
half-a-line) printf '{"done":{"format"' ;;
garbage) echo 'Segmentation fault' ;;
endless) while :; do printf '%1048576s' ' '; done ;;
killed) kill -KILL $$ ;;
allocator-gave-up)
    echo 'memory allocation of 4096 bytes failed' >&2
    kill -ABRT $$
    ;;
out-of-memory) exit 102 ;;
looks-around)
    if env | grep -v '^KMRL_CHILD_' | grep -qv '^\(PWD\|_\|SHLVL\|OLDPWD\)='; then exit 102; fi
    echo '{"refused":{"code":"encrypted"}}'
    ;;
esac
