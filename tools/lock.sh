#!/bin/sh
# Renew the locks: exact versions and hashes, no addresses, nothing younger than ten days. Needs uv.
set -eu
uv=${UV:-uv}
older_than=$(date -u -d '10 days ago' +%Y-%m-%d)
compile() { # inputs…, output last
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-header --no-annotate --exclude-newer "$older_than" "$@"
}
printf 'flit_core==3.12.0\n' >requirements/build.in
compile requirements/build.in -o requirements/build.txt
compile pyproject.toml -o requirements/run.txt
compile pyproject.toml --extra test requirements/build.in -o requirements/test.txt
# The homeserver of the tests lives in an environment of its own (Makefile), so that its pins never meet ours.
printf 'matrix-synapse>=1.150\n' >requirements/synapse.in
compile requirements/synapse.in -o requirements/synapse.txt
rm requirements/build.in requirements/synapse.in
if grep -nE 'https?://' requirements/*.txt; then
    echo "a lock holds an address" >&2
    exit 1
fi
