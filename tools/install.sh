#!/bin/bash
# Installs the Debian packages that are missing:  tools/install.sh build|cluster|check
# Says what and why before it does, asks nothing, does nothing when all is there. Needs root or sudo,
# and only when something is missing. On a system without apt it prints the list and stops.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")

wanted_set=${1:-build}
case $wanted_set in
build | cluster | check) ;;
*)
    echo "usage: tools/install.sh build|cluster|check" >&2
    exit 2
    ;;
esac

say() { echo "install: $*" >&2; }

# Fills missing_packages and missing_reasons from the list.
missing_packages=()
missing_reasons=()
find_missing() {
    local installed package set command reason
    installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p' || true)
    while read -r package set command reason; do
        case $package in '' | '#'*) continue ;; esac
        [ "$set" = build ] || [ "$set" = "$wanted_set" ] || [ "$wanted_set" = check ] || continue
        if [ "$command" != - ] && command -v "$command" >/dev/null; then
            continue
        fi
        if grep -qxF -- "$package" <<<"$installed"; then
            continue
        fi
        missing_packages+=("$package")
        missing_reasons+=("$reason")
    done <"$here/packages.txt"
}

print_missing() {
    local i
    for i in "${!missing_packages[@]}"; do
        printf '  %-22s %s\n' "${missing_packages[$i]}" "${missing_reasons[$i]}" >&2
    done
}

# apt as root: directly, or through sudo.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

# Debian's server package makes a cluster of its own and starts it; here servers are made as they are needed.
# Where somebody has set up PostgreSQL before, his settings stand.
keep_postgresql_quiet() {
    local settings=/etc/postgresql-common/createcluster.conf
    case " ${missing_packages[*]} " in *" postgresql-15 "*) ;; *) return 0 ;; esac
    [ ! -e $settings ] || return 0
    say "writes $settings, so that no server is started by the installation"
    as_root mkdir -p "${settings%/*}"
    as_root sh -c "echo 'create_main_cluster = false' >$settings"
}

install_missing() {
    find_missing
    [ ${#missing_packages[@]} -gt 0 ] || return 0
    say "${#missing_packages[@]} packages are missing:"
    print_missing
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        say "this is not a Debian system: install the like of these yourself, then start again"
        exit 1
    fi
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        say "needs root; as root run: apt-get install --no-install-recommends ${missing_packages[*]}"
        exit 1
    fi
    say "apt-get update, apt-get install (asks nothing)"
    as_root apt-get update -q
    keep_postgresql_quiet
    as_root apt-get install -q -y --no-install-recommends "${missing_packages[@]}"
    missing_packages=()
    missing_reasons=()
    find_missing
    if [ ${#missing_packages[@]} -gt 0 ]; then
        say "still missing after the installation:"
        print_missing
        exit 1
    fi
}

# Programs that come in packages which start a server of their own. So the package is fetched, not installed,
# and the one program taken out of it, into build/tools.
take_program() {
    local program=$1 package=$2 reason=$3
    local bin=$root/build/tools
    if command -v "$program" >/dev/null || [ -x "$bin/$program" ]; then
        return 0
    fi
    say "$program ($reason): taken out of the package $package, which is not installed itself"
    mkdir -p "$bin/fetch"
    (cd "$bin/fetch" && apt-get download -q "$package" >&2)
    dpkg-deb --fsys-tarfile "$bin/fetch/$package"_*.deb | tar -x -C "$bin" --strip-components=3 "./usr/bin/$program"
    rm -r "$bin/fetch"
    "$bin/$program" --version >/dev/null
}

install_missing
if [ "$wanted_set" != build ]; then
    take_program etcd etcd-server "the directory of a cluster"
fi
if [ "$wanted_set" = check ]; then
    take_program promtool prometheus "checks /metrics"
fi
