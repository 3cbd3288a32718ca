#!/usr/bin/env bash
# Chromium, in which `npm run test:page` tries the page of a runner, where it is missing and apt may install it.
# What cannot be had is no failure: the run says what it left out.
set -uo pipefail

[ -x "${CHROMIUM:-/usr/bin/chromium}" ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
  echo "Not installed: chromium. As root, where there is apt, it would be."
  exit 0
fi

export DEBIAN_FRONTEND=noninteractive
timeout 60 apt-get update -qq
timeout 300 apt-get install -qq -y --no-install-recommends chromium > /dev/null || echo "apt could not install chromium."
exit 0
