#!/bin/bash
# From nothing to a running binary: makes an empty Debian 12 in a temporary directory, with git as the only
# extra, clones this repository's HEAD there, builds as a newcomer would, and waits until the bots of its world
# walk. Prints the time of each step and cleans up. Needs root, debootstrap and about 3 GB (5 GB with --check).
#   tools/chroot-trial.sh [--check]     --check: ./check --quick as well
# The mirror, and where they are set a proxy and extra certificates for npm, are those of this machine.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)

with_check=no
case ${1:-} in
'') ;;
--check) with_check=yes ;;
*)
    echo "usage: tools/chroot-trial.sh [--check]" >&2
    exit 2
    ;;
esac
[ "$(id -u)" = 0 ] || { echo "chroot-trial: needs root" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "chroot-trial: needs the package debootstrap" >&2; exit 1; }

# "URI codename" of each Debian archive that this machine's apt knows.
archives=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' 'Origin: Debian' | sort -u)
mirror=$(sed -n 's/ bookworm$//p' <<<"$archives" | head -n 1)
[ -n "$mirror" ] || { echo "chroot-trial: this machine's apt knows no archive of bookworm" >&2; exit 1; }

house=$(mktemp -d /var/tmp/seom-chroot.XXXXXX)
cleanup() {
    local inner
    for inner in proc dev/pts dev; do
        mountpoint -q "$house/$inner" && umount "$house/$inner"
    done
    # Never delete through a mount that did not come off.
    if ! grep -q " $house/" /proc/mounts; then
        rm -rf "$house"
    fi
}
trap cleanup EXIT
trap 'exit 1' INT TERM

times=()
step() { # step NAME COMMAND...
    local name=$1 start=$SECONDS
    shift
    echo "== $name" >&2
    "$@" >&2
    times+=("$(printf '%-34s %4d s' "$name" $((SECONDS - start)))")
}

# A clean environment: nothing of ours but what the network of this machine asks for.
inside() {
    chroot "$house" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "${network[@]}" "$@"
}
network=()
for name in http_proxy https_proxy no_proxy; do
    [ -z "${!name:-}" ] || network+=("$name=${!name}")
done

make_house() {
    debootstrap --variant=minbase --include=git bookworm "$house" "$mirror" >"$house.log" 2>&1 ||
        { tail -n 20 "$house.log"; return 1; }
    rm "$house.log"
    sed -n 's/^\(.*\) \(bookworm.*\)$/deb \1 \2 main/p' <<<"$archives" >"$house/etc/apt/sources.list"
    cp /etc/resolv.conf "$house/etc/resolv.conf"
    if [ -n "${NODE_EXTRA_CA_CERTS:-}" ]; then
        cp "$NODE_EXTRA_CA_CERTS" "$house/etc/extra-certificates.pem"
        network+=(NODE_EXTRA_CA_CERTS=/etc/extra-certificates.pem)
    fi
    mount -t proc proc "$house/proc"
    mount --bind /dev "$house/dev"
    mount --bind /dev/pts "$house/dev/pts"
    git clone -q --bare "$root" "$house/srv/seom.git"
}

# Starts a world as ./run does, on ports that the kernel chooses, and waits until its 200 bots play.
walk() {
    inside /usr/bin/python3 - /root/seom/build/seom <<'END'
import json, re, subprocess, sys, time, urllib.request
world = subprocess.Popen([sys.argv[1], "dev", "--data", "/root/sea", "--play", "127.0.0.1:0", "--http", "127.0.0.1:0"],
                         stderr=subprocess.PIPE, text=True)
page = next(found[0] for line in world.stderr if (found := re.search(r"http://[0-9.:]+", line)))
end = time.monotonic() + 60
players = 0
while players < 200 and time.monotonic() < end:
    time.sleep(0.1)
    players = json.load(urllib.request.urlopen(page + "/status"))["players"]
world.terminate()
sys.exit(0 if world.wait(20) == 0 and players >= 200 else f"{players} players after 60 s, exit {world.returncode}")
END
}

step "an empty Debian with git" make_house
clone_start=$SECONDS
step "git clone" inside git clone -q /srv/seom.git /root/seom
step "./run --build-only" inside /root/seom/run --build-only
times+=("$(printf '%-34s %4d s' "from clone to built" $((SECONDS - clone_start)))")
step "seom dev until 200 bots walk" walk
times+=("$(printf '%-34s %4d s' "from clone to walking" $((SECONDS - clone_start)))")
step "again, with nothing to do" inside /root/seom/run --build-only
step "build/seom version" inside /root/seom/build/seom version
if [ $with_check = yes ]; then
    step "./check --quick" inside /root/seom/check --quick
fi
printf '%s\n' "${times[@]}"
