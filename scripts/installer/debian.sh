#!/usr/bin/env bash
# The JDK and the ZIP tools that `npm run test:installer` drives, and the shells whose completions `npm test` tries, where they
# are missing and apt may install them.
# What cannot be had is no failure: the run says what it left out.
set -uo pipefail

declare -A packages=(
  [javac]=default-jdk-headless
  [zip]=zip
  [bsdtar]=libarchive-tools
  [7z]=p7zip-full
  [python3]=python3
  [zsh]=zsh
  [fish]=fish
  [script]=bsdutils
)

missing=()
for command in "${!packages[@]}"; do
  command -v "$command" > /dev/null || missing+=("${packages[$command]}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
  echo "Not installed: ${missing[*]}. As root, where there is apt, they would be."
  exit 0
fi

export DEBIAN_FRONTEND=noninteractive
timeout 60 apt-get update -qq
for package in "${missing[@]}"; do
  timeout 180 apt-get install -qq -y --no-install-recommends "$package" > /dev/null || echo "apt could not install $package."
done
exit 0
