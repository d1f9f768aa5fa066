#!/usr/bin/env bash
# Commits what tools/stamp_run.py wrote, in a scheduled run.
set -euo pipefail
git config user.name "github-actions[bot]"
git config user.email "41898282+github-actions[bot]@users.noreply.github.com"
git add results/runs.json
git diff --cached --quiet && exit 0
git commit -m "Stamp the weekly run"
git push
