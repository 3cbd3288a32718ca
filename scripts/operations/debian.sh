#!/usr/bin/env bash
# The Prometheus that test/workflow/operating.test.ts starts, with its promtool. Fails with one clear line where it cannot be
# had. No service is started: the test starts its own, and ends it.
set -uo pipefail

command -v prometheus > /dev/null && command -v promtool > /dev/null && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
  echo "Not installed: prometheus. As root, where there is apt, it would be." >&2
  exit 1
fi

export DEBIAN_FRONTEND=noninteractive
# In single-user mode, packages leave their services alone.
export RUNLEVEL=1
timeout 60 apt-get update -qq
if ! timeout 300 apt-get install -qq -y --no-install-recommends prometheus > /dev/null; then
  echo "apt could not install prometheus." >&2
  exit 1
fi
