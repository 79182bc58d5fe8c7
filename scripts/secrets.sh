#!/bin/sh
# Makes the secrets that docker-compose.yml hands to its containers: files in a folder that only its
# owner can enter. What is there already stays, so it can be called again.
#
#   scripts/secrets.sh
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
folder=${KMRL_SECRETS_DIR:-$here/secrets}

mkdir -p "$folder"
chmod 700 "$folder"
for name in postgres_password nats_password s3_secret_key api_key keys_pepper; do
    file=$folder/$name
    if [ -s "$file" ]; then
        echo "secrets: $name is there"
        continue
    fi
    # 32 random bytes as 64 digits. Compose shows files to containers with the mode that they have here, and
    # each container is another user's: within the closed folder they are readable.
    (umask 333 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$file.new")
    mv "$file.new" "$file"
    echo "secrets: $name is made"
done
