#!/usr/bin/env bash
# The object store that `npm run test:s3` starts: Ceph's gateway, with the monitor and the object daemon behind it.
# Fails with one clear line where it cannot be had. No service is started: the tests start their own, and end them.
set -uo pipefail

declare -A packages=(
  [radosgw]=radosgw
  [ceph-mon]=ceph-mon
  [ceph-osd]=ceph-osd
  [ceph]=ceph-common
  [curl]=curl
)

missing=()
for command in "${!packages[@]}"; do
  command -v "$command" > /dev/null || missing+=("${packages[$command]}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
  echo "Not installed: ${missing[*]}. As root, where there is apt, they would be." >&2
  exit 1
fi

export DEBIAN_FRONTEND=noninteractive
timeout 60 apt-get update -qq
# Without recommended packages: those are for a cluster of many machines.
if ! timeout 300 apt-get install -qq -y --no-install-recommends "${missing[@]}" > /dev/null; then
  echo "apt could not install ${missing[*]}." >&2
  exit 1
fi
