#!/usr/bin/env bash
# Builds the book in docs/ into target/book. A link to a page that does not exist fails the build.
set -euo pipefail
cd "$(dirname "$0")/.."
mdbook=$(scripts/tool.sh mdbook 0.5.4 --no-default-features --features search)

missing=0
while IFS= read -r line; do
  while [[ $line =~ \]\(([^()#]+\.md)(#[^()]*)?\) ]]; do
    page=${BASH_REMATCH[1]}
    line=${line#*"${BASH_REMATCH[0]}"}
    if [[ $page != *://* && ! -f docs/src/$page ]]; then
      printf 'docs/src: no page %s\n' "$page" >&2
      missing=1
    fi
  done
done < <(cat docs/src/*.md)
[ "$missing" -eq 0 ] || exit 1

"$mdbook" build docs --dest-dir "$PWD/target/book"
