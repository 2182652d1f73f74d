# Sourced by the other scripts: makes what they need, and does nothing twice.
#
# Needs only bash and a Python of at least 3.11. Everything goes into folders that git ignores:
# .venv (the project and its tools), .venvs (older SDKs), node_modules of the JavaScript ones.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\033[2m==> %s\033[0m\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# The Python that the environments are made with: $PYTHON, or the first that is new enough.
find_python() {
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.14 python3.11 python; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return
    fi
  done
  die "no Python 3.11 or newer found; set PYTHON to one"
}

# One line that changes when the named files or words do.
fingerprint() {
  local item
  for item in "$@"; do
    if [ -f "$item" ]; then cksum < "$item"; else printf '%s\n' "$item"; fi
  done | cksum
}

# Whether the folder $1 was made for the fingerprint $2.
is_made() { [ -f "$1/.made-for" ] && [ "$(cat "$1/.made-for")" = "$2" ]; }

# .venv: the project, editable, with the dev group, at the versions of dev.lock.
make_venv() {
  local wanted
  if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    local python
    python=$(find_python)
    say "making .venv with $python"
    rm -rf .venv
    "$python" -m venv .venv || die "$python cannot make environments; install its venv module"
  fi
  wanted=$(fingerprint pyproject.toml dev.lock "$(.venv/bin/python -V)" "$PWD")
  if is_made .venv "$wanted"; then return; fi
  say "installing the project and its tools into .venv"
  .venv/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
  .venv/bin/python -m pip install --quiet -c dev.lock -e . --group dev
  printf '%s\n' "$wanted" > .venv/.made-for
}

# node_modules of the JavaScript SDKs' tests; without node and npm those tests are skipped.
make_node_modules() {
  local folder wanted
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    say "node or npm is missing: the JavaScript SDKs' tests will be skipped"
    return
  fi
  for folder in tests/sdk/javascript tests/sdk/generations/javascript tests/sdk/command_line; do
    wanted=$(fingerprint "$folder/package-lock.json" "$(node --version)")
    if is_made "$folder/node_modules" "$wanted"; then continue; fi
    say "installing the JavaScript SDKs of $folder"
    (cd "$folder" && npm ci --silent --no-audit --no-fund --ignore-scripts)
    printf '%s\n' "$wanted" > "$folder/node_modules/.made-for"
  done
}

# .venvs/<name>: one environment for each older SDK in tests/sdk/generations/releases.txt.
make_generations() {
  local name requirement wanted
  while read -r name requirement; do
    case "$name" in ''|'#'*) continue ;; esac
    wanted=$(fingerprint "$requirement" "$(.venv/bin/python -V)")
    if is_made ".venvs/$name" "$wanted"; then continue; fi
    say "installing $requirement into .venvs/$name"
    rm -rf ".venvs/$name"
    .venv/bin/uv venv --quiet --python .venv/bin/python ".venvs/$name"
    # shellcheck disable=SC2086  # a line may name several requirements
    .venv/bin/uv pip install --quiet --python ".venvs/$name/bin/python" $requirement
    printf '%s\n' "$wanted" > ".venvs/$name/.made-for"
  done < tests/sdk/generations/releases.txt
}

# newuidmap, which gives an ordinary user's sandboxes a range of ids; without it, tests are skipped.
offer_newuidmap() {
  if command -v newuidmap >/dev/null; then return; fi
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing uidmap"
    apt-get install -qq -y --no-install-recommends uidmap >/dev/null 2>&1 ||
      { apt-get update -qq && apt-get install -qq -y --no-install-recommends uidmap; } \
        >/dev/null 2>&1 || say "apt has no uidmap"
  fi
}

# Programs of the machine that some tests drive, from Debian's packages: OpenSSH, Caddy, a desktop,
# makers of file systems. Without them those tests are skipped. They are installed by root alone,
# and not where systemd would run them as services of this machine from then on.
make_programs() {
  local wanted=() desktop=()
  command -v /usr/sbin/sshd >/dev/null || wanted+=(openssh-server)
  command -v ssh >/dev/null || wanted+=(openssh-client)
  command -v caddy >/dev/null || wanted+=(caddy)
  if [ "$(id -u)" = 0 ]; then  # only root can mount what they make
    command -v mkfs.xfs >/dev/null || wanted+=(xfsprogs)
    command -v mkfs.btrfs >/dev/null || wanted+=(btrfs-progs)
  fi
  command -v startxfce4 >/dev/null && command -v websockify >/dev/null ||
    desktop=(
      xvfb x11-utils x11-xserver-utils xdotool scrot x11vnc net-tools procps novnc websockify
      libgtk-3-bin xdg-utils xfce4-session xfwm4 xfdesktop4 dbus-x11
    )
  install_packages ${wanted[@]+"${wanted[@]}"}
  install_packages ${desktop[@]+"${desktop[@]}"}  # apart: apt-get installs all of what it is given, or nothing
}

install_packages() {
  local policy=/usr/sbin/policy-rc.d ours=
  if [ $# -eq 0 ]; then return; fi
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || [ -d /run/systemd/system ]; then
    say "not installed: $*; the tests that drive them will be skipped"
    return
  fi
  say "installing $*"
  if [ ! -e "$policy" ]; then
    ours=1
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod +x "$policy"
  fi
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq -y --no-install-recommends "$@"; } >/dev/null 2>&1 ||
    say "apt-get could not install them; the tests that drive them will be skipped"
  if [ -n "$ours" ]; then rm -f "$policy"; fi
}
