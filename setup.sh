#!/bin/sh
# Prepares a machine with Node 20 to build and run netwatch. Does nothing if it is prepared already.
#   sh setup.sh         what `npm run demo` needs: only npm packages, none of them compiled
#   sh setup.sh test    and what `npm test` needs on Debian: compiled packages, the tools it compares with, the servers of the lab
set -eu
cd "$(dirname "$0")"

say() { echo "setup: $*" >&2; }

# cap, the other capture engine, is always compiled; canvas, the other chart renderer, if its prebuilt binary cannot be downloaded.
packages=""
if [ "${1:-}" = test ]; then
  packages="build-essential python3 pkg-config libcairo2-dev libpango1.0-dev libjpeg-dev libgif-dev librsvg2-dev libpixman-1-dev libpcap-dev"
  packages="$packages tshark tcpdump poppler-utils nginx redis-server postgresql iproute2 iputils-ping iptables nftables conntrack procps prometheus prometheus-alertmanager openssl curl apache2-utils docker.io docker-compose chromium man-db zsh fish"
fi

missing=""
for package in $packages; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  if [ "$(id -u)" = 0 ]; then sudo=""
  elif command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then sudo="sudo"
  else
    say "these Debian packages are missing; run this as root, then try again:"
    echo "  apt-get update && apt-get install -y$missing" >&2
    exit 1
  fi
  say "installing$missing"
  # The lab starts its own servers: keep Debian from starting the packaged ones.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod 755 "$policy"
    trap '$sudo rm -f "$policy"' EXIT
  fi
  $sudo apt-get update -qq >&2
  # shellcheck disable=SC2086
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing >&2
fi

if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
  say "installing npm packages"
  npm ci --no-audit --no-fund --prefer-offline --ignore-scripts >&2
  touch node_modules/.package-lock.json
fi
if [ "${1:-}" = test ] && ! node -e 'require("canvas"); require("cap")' 2>/dev/null; then
  say "compiling npm packages (may take a minute)"
  npm rebuild canvas cap --foreground-scripts >&2
  # They are optional: npm does not report when it cannot install them.
  node -e 'require("canvas"); require("cap")' || { say "canvas and cap could not be compiled: see above"; exit 1; }
fi
if [ ! dist/src/cli.js -nt package.json ] || [ -n "$(find src services bench deploy -name '*.ts' -newer dist/.tsbuildinfo 2>/dev/null | head -n 1)" ]; then
  say "building"
  npm run -s build >&2
fi
