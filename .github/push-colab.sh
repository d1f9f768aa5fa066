#!/usr/bin/env bash
# Put dist/colab on the branch `colab`, as one commit on top of the last; the
# same edition adds none. The working tree and the index stay as they are.
set -euo pipefail
cd "$(dirname "$0")/.."
branch=colab
export GIT_INDEX_FILE=$(mktemp -u)
trap 'rm -f "$GIT_INDEX_FILE"' EXIT
git --work-tree=dist/colab add --all --force .
tree=$(git write-tree)
parent=()
if git fetch --quiet --depth 1 origin "$branch" 2>/dev/null; then
  if [ "$(git rev-parse 'FETCH_HEAD^{tree}')" = "$tree" ]; then
    exit
  fi
  parent=(-p "$(git rev-parse FETCH_HEAD)")
fi
export GIT_AUTHOR_NAME="github-actions" GIT_AUTHOR_EMAIL="github-actions@users.noreply.github.com"
export GIT_COMMITTER_NAME="$GIT_AUTHOR_NAME" GIT_COMMITTER_EMAIL="$GIT_AUTHOR_EMAIL"
commit=$(git commit-tree "$tree" ${parent[@]+"${parent[@]}"} \
  -m "The Colab edition of $(git rev-parse --short HEAD)")
git push --quiet origin "$commit:refs/heads/$branch"
