#!/usr/bin/python3
"""The torture test: people trade without a pause while their server is killed, stopped, and its disk is made full, made to
fail, and cut off from power, at random moments. Afterwards everything that was acknowledged is there exactly once, nothing of
what was refused is, and the audit is balanced.

    torture.py SEOM [--kills N] [--commands N] [--seed N] [--only KIND[,KIND...]] [--think MS] [--traders N]

Kinds: kill, stop, failing, full, power. Without --kills: 20, for ./check; `--kills 200 --commands 100000` is the whole of it.
Prints TAP with figures as comments. Disks that fail need cc; small disks and power cuts need root, for mounts; whatever
cannot be had here is skipped with its reason.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

from seom_scene import CODE, NOT_DONE, PATIENCE_S, Line, World, clean_environment, run, until

HERE = pathlib.Path(__file__).resolve().parent
WORLD = "0001"
POLL_S = 0.003
ALIVE_S = (0.03, 1.0)       # a server lives so long after its first answer
STOPPED_S = (1.0, 3.0)
AWAKE_AGAIN_S = 30          # until somebody is answered again, on a busy machine
MIB = 1 << 20
IMAGE_BYTES = 112 * MIB     # of the disk that loses its power: the store reserves 64 MiB
COPIES = 4                  # power cuts for each 20 kills
NAME = {number: name for name, number in CODE.items()}
PORTS = (21000, 31000)
# What a killed process has written is the kernel's, whatever lies below it: with a disk in memory more is done between two kills.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) and "TMPDIR" not in os.environ else None


class Skip(Exception):
    """This cannot be tortured here, and why."""


class Lost(AssertionError):
    """Something that had been acknowledged was not there after a power cut."""


def say(text):
    print(f"# {text}", flush=True)


def free_ports(count):
    """Ports that stay the same over restarts, below those that the kernel gives to others. Not by the seed: two runs of one seed
    must not meet."""
    held, chance = [], random.SystemRandom()
    while len(held) < count:
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", chance.randrange(*PORTS)))
            held.append(one)
        except OSError:
            one.close()
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


# ---------------------------------------------------------------- what was answered

class Answers:
    """The file of answers that the traders write, read as it grows: (player, seq) -> code."""

    def __init__(self, path):
        self.path, self.at, self.rest = path, 0, ""
        self.codes = {}
        self.count = self.not_done = 0

    def read(self):
        """Takes in what is new; how many answers there are in all."""
        try:
            with open(self.path, encoding="ascii") as file:
                file.seek(self.at)
                text = file.read()
                self.at = file.tell()
        except FileNotFoundError:
            return self.count
        lines = (self.rest + text).split("\n")
        self.rest = lines.pop()
        for line in lines:
            player, seq, code = map(int, line.split())
            self.note(player, seq, code)
        return self.count

    def note(self, player, seq, code):
        self.count += 1
        if NAME[code] in NOT_DONE:
            self.not_done += 1
            return
        before = self.codes.setdefault((player, seq), code)
        assert before == code, f"command {seq} of {player:016x} was answered {before} and later {code}"

    def more_than(self, count, patience_s=AWAKE_AGAIN_S):
        """Waits until there are more answers than that."""
        end = time.monotonic() + patience_s
        while self.read() <= count:
            assert time.monotonic() < end, f"nobody was answered for {patience_s} s"
            time.sleep(POLL_S)

    def fine(self):
        return sum(code == CODE["FINE"] for code in self.codes.values())


# ---------------------------------------------------------------- what is there

def audit(seom, data):
    done = run(seom, "audit", "--data", data, timeout_s=120)
    assert done.returncode == 0, f"the audit is not balanced (exit {done.returncode}):\n{done.stderr}\n{done.stdout}"
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["balanced"] and told["doubled"] == told["lost"] == told["unreadable"] == 0, told
    return told


def read_ledger(seom, data):
    """player -> the commands that have lines, in the order of the ledger. All lines of one stand together."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        done = subprocess.run([seom, "ledger", "--data", data], env=clean_environment(), stdin=subprocess.DEVNULL, stdout=out,
                              stderr=subprocess.PIPE, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        out.seek(0)
        commands, moment, last = collections.defaultdict(list), {}, {}
        for text in out:
            line = last = json.loads(text)
            if "player" not in line:
                break  # the last line
            player, seq, at_ms = int(line["player"], 16), line["seq"], line["at_ms"]
            mine = commands[player]
            if not mine or mine[-1] != seq:
                assert not mine or mine[-1] < seq, f"command {seq} of {player:016x} has lines behind those of {mine[-1]}"
                mine.append(seq)
                moment[player] = at_ms
            assert moment[player] == at_ms, f"command {seq} of {player:016x} was done at {moment[player]} and at {at_ms}"
        assert last.get("unreadable") == 0, last
    return commands


def last_seq(seom, data, player):
    done = run(seom, "doc", "get", f"{WORLD}/player/{player:016x}", "--data", data)
    assert done.returncode == 0, done.stderr
    return int(json.loads(done.stdout.splitlines()[-1])["document"].get("last_seq", 0))


def examine(seom, data, codes, settled=False):
    """codes: what had been answered *before* this reading begins. settled: nobody has played since."""
    told = audit(seom, data)
    commands = read_ledger(seom, data)
    done = {player: set(seqs) for player, seqs in commands.items()}
    highest = collections.defaultdict(int)
    for (player, seq), code in codes.items():
        has_lines = seq in done.get(player, ())
        assert has_lines or code != CODE["FINE"], f"command {seq} of {player:016x} was acknowledged and is lost"
        assert code == CODE["FINE"] or not has_lines, f"command {seq} of {player:016x} was refused ({code}) and has an effect"
        highest[player] = max(highest[player], seq)
    for player, seq in highest.items():
        if codes[player, seq] == CODE["FINE"]:
            continue  # it has lines, and for those the audit asked
        kept = last_seq(seom, data, player)
        assert seq <= kept, f"command {seq} of {player:016x} was answered, its document knows of {kept}"
    if settled:  # what nobody heard the end of can only be each player's last
        for player, seqs in commands.items():
            for seq in seqs[:-1]:
                assert (player, seq) in codes, f"command {seq} of {player:016x} was done, but never answered"
    return told


# ---------------------------------------------------------------- who plays

class Server(World):
    """`seom dev` on a directory and ports that stay the same."""

    def __init__(self, torture, environment=None):
        self.begun = time.monotonic()
        self.seom, self.data, self.log = torture.seom, str(torture.data), torture.base / "server.log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [self.seom, "dev", "--data", self.data, "--play", f"127.0.0.1:{torture.ports[0]}",
                 "--http", f"127.0.0.1:{torture.ports[1]}", "--bots", "0"], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env=clean_environment() | (environment or {}))
        self.http, self.address = f"http://127.0.0.1:{torture.ports[1]}", ("127.0.0.1", torture.ports[0])
        assert until(lambda: "The sea is open" in self.told() or self.process.poll() is not None), self.told()
        assert self.process.poll() is None, f"it did not start:\n{self.told()}"

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()


class Torture:
    """One world, its server and its traders, for one kind of torture. Nothing outlives the block."""

    def __init__(self, options, kind, data=None):
        self.seom, self.options, self.kind = options.seom, options, kind
        self.chance = random.Random(f"{options.seed} {kind}")
        self.base = pathlib.Path(tempfile.mkdtemp(prefix=f"seom-torture-{kind}-", dir=MEMORY))
        self.data = pathlib.Path(data) if data else self.base / "data"
        self.data.mkdir(exist_ok=True)
        self.ports = free_ports(2)
        self.answers = Answers(self.base / "answers")
        self.server = self.traders = None
        self.again_ms = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.traders is not None and self.traders.poll() is None:
            self.traders.kill()
            self.traders.wait(PATIENCE_S)
        if self.server is not None:
            self.server.__exit__()
        shutil.rmtree(self.base)

    def start(self, environment=None):
        self.server = Server(self, environment)
        if self.traders is None:
            with open(self.base / "traders.log", "w", encoding="utf-8") as log:
                self.traders = subprocess.Popen(
                    [self.seom, "bots", "--to", f"127.0.0.1:{self.ports[0]}", "--profile", "trade", "--observers", "0", "--quiet",
                     "--count", str(self.options.traders), "--think", str(self.options.think),
                     "--seed", str(self.chance.randrange(1 << 31)), "--answers", self.base / "answers"],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clean_environment())

    def start_again(self, environment=None):
        """Until somebody is answered."""
        count = self.answers.read()
        self.start(environment)
        self.answers.more_than(count)
        self.again_ms.append((time.monotonic() - self.server.begun) * 1000)

    def for_a_while(self, seconds=ALIVE_S):
        time.sleep(self.chance.uniform(*seconds))
        self.lives()

    def lives(self):
        assert self.server.process.poll() is None, f"the server ended by itself:\n{self.server.told()}"
        assert self.traders.poll() is None, (self.base / "traders.log").read_text(encoding="utf-8")

    def goes_on(self, more=50):
        self.answers.more_than(self.answers.read() + more)

    def codes(self):
        self.answers.read()
        return dict(self.answers.codes)

    def examine(self, settled=False):
        return examine(self.seom, self.data, self.codes(), settled)

    def settle(self):
        """The end: everybody stops in peace; then everything is compared."""
        scans = self.server.metrics()['seom_store_scan_total{role="play"}']
        assert scans == 0, f"the game scanned the store {scans} times"
        self.traders.send_signal(signal.SIGINT)
        self.traders.wait(PATIENCE_S)
        assert self.server.stop() == 0, self.server.told()
        assert "everything is on disk" in self.server.told(), self.server.told()
        told = self.examine(settled=True)
        say(f"{self.kind}: {self.answers.count} acknowledged commands ({self.answers.fine()} done), audit: {told['minted']} minted = "
            f"{told['held']} held + {told['consumed']} consumed, {told['coins_minted']} coins = {told['coins_held']} held + "
            f"{told['coins_consumed']} consumed")
        self.options.acknowledged += self.answers.count

    def player(self):
        return Asker(self)


DONE, LATER = ("FINE", "REFUSED"), ("RETRY_AFTER",)


class Asker:
    """One more player, who buys a fruit when told to and hears every answer, also those that the traders' client keeps
    to itself; and who walks about."""

    def __init__(self, torture):
        self.torture = torture
        self.line = Line(torture.server.address).hello()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.line.socket.close()

    def buy(self):
        """The name of the code that came."""
        seq, code = self.line.seq + 1, self.line.do(buy={"kind": 1, "count": 1})
        self.torture.answers.note(self.line.welcome["player"], seq, CODE[code])
        return code

    def until_answered(self, wanted, patience_s=AWAKE_AGAIN_S):
        """wanted: DONE, which one without coins has been told as well (REFUSED), or RETRY_AFTER."""
        heard = until(lambda: self.buy() in wanted, patience_s)
        assert heard, f"never answered {wanted}:\n{self.torture.server.told()[-2000:]}"

    def walks(self):
        """Moves are taken and seen by others. (Those that would lead into the sea are not.)"""
        with Line(self.torture.server.address).hello(spectator=True) as watcher:
            entity, seen = self.line.welcome["entity"], 0
            watcher.watch(self.line.island, self.line.motion["x_mm"], self.line.motion["y_mm"], 120000)
            for vx, vy in ((500, 0), (-500, 0), (0, 500), (0, -500)) * 3:
                since_ms = self.line.world_ms()
                self.line.walk(vx, vy, 200)
                seen += bool(watcher.hear(lambda since=since_ms: watcher.motions.get(entity, {}).get("since_ms", 0) >= since, 2))
                self.line.hear(lambda: False, 0.05)
                if seen == 2:
                    return
            raise AssertionError(f"nobody sees it walk: {self.line.motion}, {self.line.corrections} corrections, {self.line.ended}, "
                                 f"{watcher.motions.get(entity)}")


# ---------------------------------------------------------------- tools of torture

def compiled(options, name, *flags):
    """A program or a library of test/torture, built beside the others of this run."""
    path = options.tools / name
    if not path.exists():
        if shutil.which("cc") is None:
            raise Skip("there is no cc")
        done = subprocess.run(["cc", "-O1", "-o", path, HERE / "torture" / f"{name}.c", *flags], capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, done.stderr
    return path


class Mount:
    """Something mounted on a directory for the length of a block."""

    def __init__(self, *arguments):
        self.at = tempfile.mkdtemp(prefix="seom-torture-disk-")
        done = subprocess.run(["mount", *map(str, arguments), self.at], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            os.rmdir(self.at)
            raise Skip(f"nothing can be mounted here: {done.stderr.strip()}")

    def __enter__(self):
        return pathlib.Path(self.at)

    def __exit__(self, *_):
        done = subprocess.run(["umount", self.at], capture_output=True, text=True, check=False)
        if done.returncode != 0:  # something is still there that should not be: it goes when that does
            subprocess.run(["umount", "-l", self.at], check=False)
        os.rmdir(self.at)
        assert done.returncode == 0, done.stderr


def torture_kill(options):
    """SIGKILL, at random moments."""
    with Torture(options, "kill") as t:
        t.start()
        t.goes_on()
        kills, told_at = 0, time.monotonic()
        while kills < options.kills or options.acknowledged + t.answers.count < options.commands:
            t.for_a_while()
            t.server.kill()
            kills += 1
            if kills % 50 == 10:  # nobody plays: this is what the crash left
                t.examine()
            t.start_again()
            if kills % 50 == 20:  # everybody plays
                t.examine()
            if time.monotonic() - told_at > 10:
                told_at = time.monotonic()
                say(f"kill: {kills} kills, {t.answers.count} acknowledged")
        t.settle()
        again = sorted(t.again_ms)
        say(f"kill: {kills} kills; from the start to the first answer p50 {again[len(again) // 2]:.0f} ms, "
            f"max {again[-1]:.0f} ms")


def torture_stop(options):
    """SIGSTOP for seconds, SIGCONT."""
    with Torture(options, "stop") as t:
        t.start()
        t.goes_on()
        for _ in range(max(2, options.kills // 10)):
            t.for_a_while()
            t.server.process.send_signal(signal.SIGSTOP)
            t.for_a_while(STOPPED_S)
            t.server.process.send_signal(signal.SIGCONT)
            t.goes_on()
        t.examine()
        t.settle()


def torture_failing(options):
    """The disk takes writes and does not confirm them."""
    with Torture(options, "failing") as t:
        switch = t.base / "failing"
        environment = {"LD_PRELOAD": str(compiled(options, "failing_disk", "-shared", "-fPIC")), "FAILING_DISK": str(switch)}
        t.start(environment)
        t.goes_on()
        for _ in range(max(1, options.kills // 20)):
            t.for_a_while()
            with t.player() as asker:
                asker.until_answered(DONE)
                switch.touch()
                asker.until_answered(LATER)
                assert until(lambda: "UNAVAILABLE until a restart" in t.server.told()), t.server.told()
                assert until(lambda: t.server.metrics()["seom_store_failed"] == 1), "the metrics do not tell"
                switch.unlink()  # the disk is well again: that does not heal what it lost
                for _ in range(3):
                    assert asker.buy() == "RETRY_AFTER", "a store that failed writes again"
                asker.walks()
                t.for_a_while()
            t.server.kill()
            t.examine()
            t.start_again(environment)
            with t.player() as asker:
                asker.until_answered(DONE)
        t.settle()


def torture_full(options):
    """No room on the disk, and then there is some."""
    reader = compiled(options, "long_reader", "-llmdb")
    with Mount("-t", "tmpfs", "-o", f"size={300 * MIB}", "none") as disk, Torture(options, "full", disk / "data") as t:
        ballast = disk / "ballast"
        t.start()
        t.goes_on()
        for round_number in range(1 if options.kills < 100 else 2):
            file = os.statvfs(disk)
            with open(ballast, "wb") as out:  # all but 2 MiB
                os.posix_fallocate(out.fileno(), 0, file.f_bavail * file.f_bsize - 2 * MIB)
            with subprocess.Popen([reader, t.data / "store.mdb"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reading:
                try:
                    assert reading.stdout.readline() == "reading\n"
                    with t.player() as asker:
                        begun = time.monotonic()
                        asker.until_answered(LATER, 120)
                        say(f"full: the store was full after {time.monotonic() - begun:.1f} s")
                        asker.walks()
                        assert t.server.metrics()["seom_store_filling"] == 1
                        t.lives()
                        t.examine()
                        ballast.unlink()
                        asker.until_answered(DONE)
                    t.goes_on()
                finally:
                    reading.stdin.close()
                    reading.wait(PATIENCE_S)
            t.goes_on()
            t.examine()
            assert t.server.process.poll() is None, "it needed a restart"
            say(f"full: round {round_number + 1}, the file has {os.stat(t.data / 'store.mdb').st_size // MIB} MiB now")
        t.settle()


def writes_of(image):
    """How many writes the loop device of an image has had."""
    listed = subprocess.run(["losetup", "-j", image, "-n", "-O", "NAME"], capture_output=True, text=True, check=True).stdout.split()
    assert len(listed) == 1, listed
    return pathlib.Path("/sys/block", pathlib.Path(listed[0]).name, "stat").read_text(encoding="ascii").split()[4]


def copy_of(image, to):
    """What is on the disk at one moment: nothing may be written to it while it is copied."""
    for _ in range(20):
        before = writes_of(image)
        shutil.copyfile(image, to)
        if writes_of(image) == before:
            return
    raise AssertionError("the disk does not come to rest, although nobody writes")


def cut_power(options, base, times, environment=None):
    """Trades on a disk of its own, looks at what would be left of it at random moments. How many answers came before each."""
    image, copy = base / "disk", base / "copy"
    with open(image, "wb") as out:
        out.truncate(IMAGE_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True, capture_output=True)
    before = []
    # The file system's own journal is left alone between our fsyncs.
    with Mount("-o", "loop,commit=600", image) as disk, Torture(options, "power", disk / "data") as t:
        t.start(environment)
        t.goes_on()
        for _ in range(times):
            t.for_a_while()
            t.server.process.send_signal(signal.SIGSTOP)
            time.sleep(0.05)  # what is under way to the traders arrives
            codes = t.codes()
            copy_of(image, copy)
            t.server.process.send_signal(signal.SIGCONT)
            look_at_copy(options, copy, codes)
            before.append(len(codes))
            t.goes_on()
        t.settle()
    return before


def torture_power(options):
    """Everything that the disk was not told to keep is gone."""
    if shutil.which("mkfs.ext4") is None:
        raise Skip("there is no mkfs.ext4")
    with tempfile.TemporaryDirectory(prefix="seom-torture-power-", dir=MEMORY) as base:
        before = cut_power(options, pathlib.Path(base), max(2, COPIES * options.kills // 20))
        say(f"power: {len(before)} cuts, with {before[0]} to {before[-1]} acknowledged commands before each")
        lying = {"LD_PRELOAD": str(compiled(options, "failing_disk", "-shared", "-fPIC")), "LYING_DISK": "1"}
        try:
            cut_power(options, pathlib.Path(base), 2, lying)
        except Lost as lost:
            say(f"power: a disk that lies is found out: {str(lost).splitlines()[0]}")
        else:
            raise AssertionError("a disk that keeps nothing was taken for a good one: these cuts cut nothing")


def look_at_copy(options, copy, codes):
    with Mount("-o", "loop", copy) as disk:
        done = run(options.seom, "store", "verify", "--data", disk / "data")
        if done.returncode != 0:
            raise Lost(done.stderr.strip() or f"seom store verify: exit {done.returncode}")
        try:
            examine(options.seom, disk / "data", codes)
        except AssertionError as error:
            raise Lost(str(error)) from error
    copy.unlink()


# ---------------------------------------------------------------- TAP

KINDS = {name.removeprefix("torture_"): thing for name, thing in list(globals().items()) if name.startswith("torture_")}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seom", type=lambda path: str(pathlib.Path(path).resolve()))
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--commands", type=int, default=0, help="at least so many acknowledged commands, all kinds together")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(KINDS))
    parser.add_argument("--traders", type=int, default=200)
    parser.add_argument("--think", type=int, default=20)
    options = parser.parse_args()
    for kind in options.only:
        if kind not in KINDS:
            parser.error(f"there is no kind {kind}, but {', '.join(KINDS)}")
    options.acknowledged = 0
    return options


def torture(options, number, kind):
    """False: it failed."""
    begun = time.monotonic()
    try:
        KINDS[kind](options)
        print(f"ok {number} - {kind}")
    except Skip as skip:
        print(f"ok {number} - {kind} # SKIP {skip}")
    except Exception:  # a test that breaks is a test that failed
        print(f"not ok {number} - {kind}")
        for line in traceback.format_exc().splitlines():
            print(f"# {line}")
        return False
    finally:
        say(f"{kind}: {time.monotonic() - begun:.1f} s")
    return True


def main():
    options = parse_arguments()
    say(f"torture.py --kills {options.kills} --seed {options.seed}")
    # The kills come last: they go on until there are enough commands.
    kinds = [kind for kind in KINDS if kind in options.only and kind != "kill"] + ["kill"] * ("kill" in options.only)
    print(f"1..{len(kinds)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="seom-torture-tools-") as tools:
        options.tools = pathlib.Path(tools)
        failed = [kind for number, kind in enumerate(kinds, 1) if not torture(options, number, kind)]
    say(f"{options.acknowledged} acknowledged commands in all")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
