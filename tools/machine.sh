#!/bin/sh
# Install what the machine lacks, by apt as root or with sudo; otherwise say in one line what to install.
# Usage: machine.sh run | test | python [PYTHON]
set -eu

need() { # program, Debian package
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}

install() {
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" = 0 ]; then
        sudo=""
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        sudo="sudo"
    else
        echo "Please install:$missing (on Debian and Ubuntu: sudo apt install$missing), then run make again." >&2
        exit 1
    fi
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "Please install:$missing (there is no apt-get here), then run make again." >&2
        exit 1
    fi
    echo "Installing:$missing"
    export DEBIAN_FRONTEND=noninteractive
    $sudo apt-get update -qq >/dev/null
    # shellcheck disable=SC2086  # a list of packages
    $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

missing=""
case "$1" in
run)
    need bwrap bubblewrap
    need setpriv util-linux
    ;;
test)
    need bwrap bubblewrap
    need setpriv util-linux
    need chromium chromium
    need gnome-keyring-daemon gnome-keyring
    need dbus-daemon dbus-daemon
    need dbus-send dbus-bin
    # Hostile programs are compiled statically, so that they run in every image.
    need gcc gcc
    ls /usr/lib/*/libc.a 2>/dev/null | grep -q . || missing="$missing libc6-dev"
    need /usr/sbin/apparmor_parser apparmor
    if [ "$(id -u)" = 0 ]; then # only root can start an engine of its own for the tests of container sandboxes
        need dockerd docker.io
        need runsc runsc
        need busybox busybox-static
    fi
    ;;
python)
    python=${2:-python3}
    command -v "$python" >/dev/null 2>&1 || { missing="$missing python3 python3-venv"; install; missing=""; }
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        echo "Wirken needs Python 3.11 or later; $python is older." >&2
        exit 1
    }
    "$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
    ;;
*)
    echo "usage: machine.sh run|test|python" >&2
    exit 2
    ;;
esac
install
