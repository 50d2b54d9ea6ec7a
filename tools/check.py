#!/usr/bin/python3
"""usage: ./check [--quick | --long] [--only NAME[,NAME...]] [--list]

Runs all tests and checks of the project (docs/testing.md tells what each is for).

  --quick  gcc build and unit tests, house rules, a few simulator seeds, quick scenes: under 90 s once built
  --long   also clang-tidy, valgrind, more seeds, longer fuzzing
  --only   only the checks whose names begin so, whatever the depth
  --list   the names, with what each looks at, and stop

Each check prints "ok NAME" or "not ok NAME", and then the end of what the program or the unit tests said that
failed; all of its output stands in build/check-logs/NAME.log. The last line counts them, unit tests and scenes
one by one: "N passed, N failed". Exit 1 when anything failed."""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tree import ROOT, tracked

BUILD = ROOT / "build"
LOGS = BUILD / "check-logs"
QUICK, FULL, LONG = 0, 1, 2
SKIPPED = 77  # exit code of a scene that cannot run here
PROGRESS_S = 20
# Of what failed, what is shown on the console: where the logs are not kept, nobody could say otherwise why it did.
SHOWN_ERRORS = 40  # lines of stderr
SHOWN_LINES = 15  # of stdout
SHOWN_WIDTH = 300
SHOWN_TESTS = 4


class Failed(Exception):
    """A check found something; the text goes to the report. excerpt: of the output of what failed; None: its last
    program's."""

    def __init__(self, why, excerpt=None):
        super().__init__(why)
        self.excerpt = excerpt


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0


@dataclass
class Check:
    """One named check. run(self) raises Failed; it may add to counts what it counted itself."""
    name: str
    what: str
    run: object
    depth: int = FULL
    counts: Counts = field(default_factory=Counts)
    last_excerpt: str = ""  # of the last program that it ran

    @property
    def log_path(self):
        return LOGS / f"{self.name}.log"


@dataclass
class Options:
    depth: int
    sim_seeds: int
    commit_seeds: int
    cluster_seeds: int
    fuzz_s: int


# ---------------------------------------------------------------- running things

def end_of(text, lines):
    """The last lines of a text, none too long, without those that say nothing."""
    told = [line.rstrip()[:SHOWN_WIDTH] for line in text.splitlines() if line.strip()]
    return [f"... {len(told) - lines} lines ..."] + told[-lines:] if len(told) > lines else told


def excerpt_of(stdout, stderr):
    return "\n".join(end_of(stdout, SHOWN_LINES) + end_of(stderr, SHOWN_ERRORS))


def run(check, *command, timeout_s=600, env=None, cwd=ROOT, allowed=(0,)):
    """Runs a command with its output in the log of the check. Returns (exit code, its stdout). A command that
    takes too long is killed with all of its children."""
    command = [str(c) for c in command]
    out_path = check.log_path.with_suffix(".out")
    check.last_excerpt = ""
    with open(check.log_path, "ab") as log, open(out_path, "wb") as out:
        log.write(f"$ {' '.join(command)}\n".encode())
        log.flush()
        errors_from = log.tell()
        try:
            process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=log,
                                       start_new_session=True, env={**os.environ, **(env or {})})
        except OSError as error:
            raise Failed(f"{command[0]}: {error.strerror} (was it built?)") from error
        code = wait(check, process, timeout_s)
    text = out_path.read_text(errors="replace")
    out_path.unlink()
    with open(check.log_path, "rb") as log:
        log.seek(errors_from)
        check.last_excerpt = excerpt_of(f"{text}\n(exit {code})", log.read().decode(errors="replace"))
    with open(check.log_path, "a") as log:
        log.write(text + f"(exit {code})\n")
    if code is None:
        raise Failed(f"{Path(command[0]).name}: not done after {timeout_s} s")
    if code not in allowed:
        raise Failed(f"{Path(command[0]).name}: exit {code}")
    return code, text


def wait(check, process, timeout_s):
    """The exit code, None after killing it for taking too long. Says now and then that it still runs."""
    start = time.monotonic()
    try:
        while True:
            try:
                return process.wait(timeout=PROGRESS_S)
            except subprocess.TimeoutExpired:
                spent_s = time.monotonic() - start
                print(f"   .. {check.name}: {spent_s:.0f} s", file=sys.stderr, flush=True)
                if spent_s > timeout_s:
                    return None
    finally:
        # Also on Ctrl-C: its own session, so nothing else is hit; what it left running goes with it.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def last_json(text):
    lines = text.strip().splitlines()
    try:
        return json.loads(lines[-1])
    except (IndexError, ValueError):
        raise Failed("the last line of stdout is no JSON object") from None


# ---------------------------------------------------------------- builds and unit tests

# name: (directory, compiler, meson options). The first is the one that ./run uses.
BUILDS = {
    "gcc": (BUILD, "gcc", ["-Dtests=true"]),
    # Unoptimised, so that the simulator's hashes are compared between -O0 and -O2 as well.
    "clang": (BUILD / "check-clang", "clang", ["-Dpage=false", "-Dbuildtype=debug"]),
    "asan": (BUILD / "check-asan", "gcc",
             ["-Dpage=false", "-Db_sanitize=address,undefined", "-Dbuildtype=debugoptimized"]),
    "tsan": (BUILD / "check-tsan", "gcc",
             ["-Dpage=false", "-Db_sanitize=thread", "-Dbuildtype=debugoptimized"]),
    "fuzz": (BUILD / "check-fuzz", "clang",
             ["-Dpage=false", "-Dtests=false", "-Dfuzz=true", "-Db_lundef=false",
              "-Db_sanitize=address,undefined", "-Dbuildtype=debugoptimized"]),
}
SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


def build(name):
    def run_build(check):
        directory, compiler, options = BUILDS[name]
        if not (directory / "build.ninja").exists():
            directory.mkdir(parents=True, exist_ok=True)
            run(check, "meson", "setup", *options, directory, ROOT, env={"CC": compiler})
        elif name == "gcc" and not builds_tests(directory):
            run(check, "meson", "configure", directory, *options)  # ./run configured it, without tests
        try:
            run(check, "ninja", "-C", directory, timeout_s=1200)
        except Failed as failure:
            errors = re.findall(r"^.*(?:error: |ERROR: |undefined reference).*$", check.log_path.read_text(), re.MULTILINE)
            raise Failed(errors[0] if errors else str(failure)) from None
    return run_build


def builds_tests(directory):
    options = json.loads((directory / "meson-info" / "intro-buildoptions.json").read_text())
    return any(o["name"] == "tests" and o["value"] for o in options)


def count_points(check, text):
    """Adds the TAP test points of a text to the counts; returns the names of those that failed."""
    bad = []
    for negated, name in re.findall(r"^(not )?ok \d+(?: -)? ?([^\n]*)", text, re.MULTILINE):
        if "# skip" in name.lower():
            check.counts.skipped += 1
        elif negated:
            check.counts.failed += 1
            bad.append(name)
        else:
            check.counts.passed += 1
    return bad


def skips_only(entry):
    """Whether meson calls a test failed only because cmocka writes a skipped point as "not ok N # SKIP"."""
    text = entry.get("stdout") or ""
    plan = re.search(r"^1\.\.(\d+)", text, re.MULTILINE)
    points = re.findall(r"^(?:not )?ok \d+", text, re.MULTILINE)
    return ("# SKIP" in text and entry["result"] == "FAIL" and entry.get("returncode") == 0
            and plan is not None and int(plan[1]) == len(points))


def count_test(check, entry):
    """Adds one test of meson's log, point by point if it speaks TAP; returns what failed."""
    before = sum(vars(check.counts).values())
    bad = [f"{entry['name']}: {name}" for name in count_points(check, entry.get("stdout") or "")]
    silent = sum(vars(check.counts).values()) == before
    result = "OK" if skips_only(entry) and not bad else entry["result"]
    if result == "SKIP" and silent:
        check.counts.skipped += 1
    elif result == "OK" and silent:
        check.counts.passed += 1
    elif result not in ("OK", "SKIP", "EXPECTEDFAIL") and not bad:
        check.counts.failed += 1  # crashed or took too long: no point tells of it
        bad.append(f"{entry['name']}: {result}")
    return bad


def excerpt_of_tests(entries):
    """What the tests of these entries of meson's log said last."""
    shown = []
    for entry in entries[:SHOWN_TESTS]:
        said = excerpt_of(entry.get("stdout") or "", entry.get("stderr") or "")
        shown.append(f"--- {entry['name']}: {entry['result']}, exit {entry.get('returncode')}\n{said}")
    more = len(entries) - len(shown)
    return "\n".join(shown + ([f"--- and {more} more"] if more > 0 else []))


def unit(name, *meson_options):
    def run_unit(check):
        directory = BUILDS[name][0]
        logs = directory / "meson-logs"
        for old in logs.glob("testlog*.json"):
            old.unlink()
        run(check, "meson", "test", "-C", directory, "--no-rebuild", "--print-errorlogs", *meson_options,
            timeout_s=1200, env=SANITIZER_ENV, allowed=range(256))
        lines = [line for log in logs.glob("testlog*.json") for line in log.read_text().splitlines()]
        entries = [json.loads(line) for line in lines if line.strip()]
        if not entries:
            raise Failed("no test ran")
        found = [(entry, count_test(check, entry)) for entry in entries]
        bad = [b for _, each in found for b in each]
        if bad:
            raise Failed(", ".join(bad), excerpt_of_tests([entry for entry, each in found if each]))
    return run_unit


def unit_valgrind(check):
    unit("gcc", "--suite", "unit", "-t", "30",
         "--wrapper", "valgrind -q --error-exitcode=9 --leak-check=full")(check)


# ---------------------------------------------------------------- rules of the house

def tool(name, *arguments):
    return lambda check: run(check, "/usr/bin/python3", ROOT / "tools" / name, *arguments)


def c_files():
    files = tracked("*.c", "*.h")
    if not files:
        raise Failed("no C files are tracked")
    return files


def clang_tool(name):
    """The version that the settings were made for, where both are installed."""
    return shutil.which(f"{name}-14") or name


def code_format(check):
    run(check, clang_tool("clang-format"), "--dry-run", "-Werror", *c_files())


def lint(check):
    directory = BUILDS["clang"][0]  # its commands are clang's own
    database = json.loads((directory / "compile_commands.json").read_text())
    ours = {str(ROOT / p) for p in c_files()}
    sources = sorted({str((Path(c["directory"]) / c["file"]).resolve()) for c in database} & ours)
    if not sources:
        raise Failed("compile_commands.json names none of our files")
    path = check.log_path.with_suffix(".list")
    path.write_text("".join(f"{s}\n" for s in sources))
    run(check, "xargs", "-n", "1", "-P", os.cpu_count() or 1, "-a", path,
        clang_tool("clang-tidy"), "--quiet", "-p", directory, timeout_s=3600)


def locks(check):
    """Lock files name packages and their hashes, no registry: the host is a matter of who builds."""
    files = tracked("*package-lock.json", "*npm-shrinkwrap.json", "*yarn.lock", "*pnpm-lock.yaml")
    if not files:
        raise Failed("no lock file is tracked")
    found = []
    for path in files:
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
            if "resolved" in line or "registry" in line:
                found.append(f"{path}:{number}: {line.strip()}")
    check.log_path.write_text("\n".join(found))
    if found:
        raise Failed(found[0])


def notices(check):
    """NOTICES.md names every library that the binary is linked with and every module that the page carries."""
    _, text = run(check, "ninja", "-C", BUILD, "-t", "commands", "seom")
    link = text.strip().splitlines()[-1]
    libraries = {f"lib{a or b}" for a, b in re.findall(r" -l(\w+)|/lib([\w-]+)\.so", link)}
    modules = set()
    for path in tracked("web/src/*.ts"):
        modules |= set(re.findall(r"""from\s+["']([^."'][^"']*)["']""", (ROOT / path).read_text()))
    told = (ROOT / "NOTICES.md").read_text()
    missing = [name for name in sorted(libraries | modules) if not re.search(rf"\b{re.escape(name)}\b", told)]
    if not libraries:
        raise Failed("the command that links build/seom names no library")
    if missing:
        raise Failed("NOTICES.md does not name " + ", ".join(missing))


# ---------------------------------------------------------------- simulator

def seom(build_name="gcc"):
    return BUILDS[build_name][0] / "seom"


def sim(check, build_name, model, *arguments, **run_options):
    """Runs seeds of a model on all cores; answers what run() does."""
    return run(check, seom(build_name), "sim", "--model", model, "--jobs", os.cpu_count() or 1, *arguments,
               **run_options)


def sim_seeds(model, seeds, *arguments):
    def run_seeds(check):
        _, text = sim(check, "gcc", model, "--seeds", seeds, *arguments, timeout_s=3600)
        report = last_json(text)
        if report.get("seeds") != seeds or not report.get("events"):
            raise Failed(f"the report does not speak of {seeds} seeds: {report}")
    return run_seeds


# Seeds by which the builds are compared: one history of a whole world, several of nodes and their store, and of clusters.
AGREE = {"world": (7, 1), "commit": (1, 12), "cluster": (1, 6)}


def sim_agree(check):
    """The same seeds give the same hash, whoever compiled the simulator and how."""
    for model, (seed, seeds) in AGREE.items():
        hashes = {}
        for name in ("gcc", "clang", "asan"):
            _, text = sim(check, name, model, "--seed", seed, "--seeds", seeds, timeout_s=900, env=SANITIZER_ENV)
            hashes[name] = str(last_json(text).get("trace_hash"))
        if len(set(hashes.values())) != 1 or not re.fullmatch(r"[0-9a-f]{16}", hashes["gcc"]):
            raise Failed(f"hashes of model {model}: {hashes}")


def sim_mutants(model, at_least):
    """Each planted bug turns the simulator red within its budget of seeds; a simulator that catches none proves
    nothing."""
    def run_mutants(check):
        _, text = run(check, seom(), "sim", "--model", model, "--list-mutants")
        mutants = last_json(text).get("mutants", [])
        if len(mutants) < at_least:
            raise Failed(f"{len(mutants)} mutants are listed, at least {at_least} are expected")
        alive = []
        for mutant in mutants:
            # Red is crash, stuck or wrong; 2 would be a mistake in the command line.
            code, _ = sim(check, "gcc", model, "--mutant", mutant, timeout_s=600, allowed=range(-64, 256))
            if code in (10, 11, 12):
                check.counts.passed += 1
            else:
                check.counts.failed += 1
                alive.append(f"{mutant} (exit {code})")
        if alive:
            raise Failed("not caught: " + ", ".join(alive))
    return run_mutants


# ---------------------------------------------------------------- fuzzers

def fuzz(options):
    def run_fuzz(check):
        directory = BUILDS["fuzz"][0] / "fuzz"
        targets = sorted(p for p in directory.glob("*") if p.is_file() and os.access(p, os.X_OK)
                         and p.suffix == "")
        if not targets:
            raise Failed(f"no fuzz targets in {directory}")
        bad = []
        for target in targets:
            try:
                run_target(check, target, options.fuzz_s)
                check.counts.passed += 1
            except Failed as why:
                check.counts.failed += 1
                bad.append(f"{target.name}: {why}")
        if bad:
            raise Failed("; ".join(bad))
    return run_fuzz


def run_target(check, target, seconds):
    corpus = ROOT / "fuzz" / "corpus" / target.name.removeprefix("fuzz_").removesuffix("_fuzz")
    if not corpus.is_dir() or not any(corpus.iterdir()):
        raise Failed(f"no corpus in {corpus.relative_to(ROOT)}")
    found = BUILD / "fuzz-found" / target.name  # new inputs of earlier runs are kept and used again
    found.mkdir(parents=True, exist_ok=True)
    run(check, target, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024",
        "-print_final_stats=1", f"-artifact_prefix={LOGS}/crash-{target.name}-", found, corpus,
        timeout_s=seconds + 120, env=SANITIZER_ENV)


# ---------------------------------------------------------------- scenes

def scene_marks(path):
    """The words behind "check:" in the head of a scene: full, long, sanitizers."""
    head = "\n".join((ROOT / path).read_text().splitlines()[:20])
    return set(" ".join(re.findall(r"^\W*check: ([a-z ]+)$", head, re.MULTILINE)).split())


def scene_depth(marks):
    return LONG if "long" in marks else FULL if "full" in marks else QUICK


def scene(path, build_name, depth):
    def run_scene(check):
        program = seom(build_name)
        if not program.exists():
            raise Failed(f"{program.relative_to(ROOT)} is not built")
        code, text = run(check, ROOT / path, program, timeout_s=1800 if depth == LONG else 600, allowed=range(-64, 256),
                         env={"SEOM": str(program), **SANITIZER_ENV,
                              **({"SEOM_SCENE_LONG": "1"} if depth == LONG else {})})
        bad = count_points(check, text)
        if code == SKIPPED:
            check.counts.skipped += check.counts == Counts()
        elif code != 0 or bad:
            raise Failed(", ".join(bad) or f"exit {code}")
    return run_scene


def torture(options):
    """200 kills and 100,000 commands with --long."""
    size = ["--kills", "200", "--commands", "100000"] if options.depth == LONG else []

    def run_torture(check):
        code, text = run(check, ROOT / "test" / "torture.py", seom("gcc"), *size, timeout_s=1800, allowed=(0, 1))
        bad = count_points(check, text)
        if code != 0 or bad:
            raise Failed(", ".join(bad) or f"exit {code}")
    return run_torture


def bench_cluster(check):
    """A small cluster full of bots: nobody is lost, and every part of it was measured."""
    _, text = run(check, seom(), "bench", "cluster", "--players", 1000, "--seconds", 5, timeout_s=180)
    report = last_json(text)
    costs = [report.get(f"{part}_cpu_us_per_player_s", 0) for part in ("homes", "gates", "store", "etcd", "bots")]
    if (report.get("lost") != 0 or report.get("never_in") != 0 or report.get("age_samples", 0) < 100
            or min(costs) <= 0 or not 0 < report.get("machine_busy", 0) <= 1 or report.get("ratio_to_limit", 0) <= 0):
        raise Failed(f"{report}")


def bench_kill(check):
    """Of what dies nobody else does, and who was there plays again in time."""
    for role, lost, again_ms in (("home", 0, 5000), ("gate", 400, 10000)):
        _, text = run(check, seom(), "bench", "kill", "--role", role, "--players", 1000, "--probers", 300, "--seconds", 3,
                      timeout_s=180)
        report = last_json(text)
        again = report.get("playing_again_ms", {})
        if (report.get("disconnected", 1000) > lost or report.get("probers_there", 0) < 20
                or not 0 < again.get("p99", 0) <= again_ms):
            raise Failed(f"{role}: {report}")
        check.counts.passed += 1


def scenes(options):
    paths = [p for p in tracked("test/scene_*.sh", "test/scene_*.py", "test/scene_*.mjs")]
    checks = []
    for path in paths:
        name = path.stem.removeprefix("scene_").replace("_", "-")
        marks = scene_marks(path)
        depth = scene_depth(marks)
        checks.append(Check(f"scene-{name}", f"{path}", scene(path, "gcc", options.depth), depth))
        for sanitizer in ("asan", "tsan") if "sanitizers" in marks else ():
            checks.append(Check(f"scene-{name}-{sanitizer}", f"{path}, {sanitizer} build",
                                scene(path, sanitizer, options.depth), max(depth, FULL)))
    checks.append(Check("scenes", "every scene can be run, and there are some", scenes_exist, QUICK))
    return checks


def scenes_exist(_):
    paths = tracked("test/scene_*")
    bad = [str(p) for p in paths if not os.access(ROOT / p, os.X_OK) or p.suffix not in (".sh", ".py", ".mjs")]
    if bad:
        raise Failed("not executable, or of no known kind: " + ", ".join(bad))
    if not paths:
        raise Failed("there is no test/scene_*")


# ---------------------------------------------------------------- the list

def all_checks(options):
    """In the order in which they run: what is quick and says most comes first."""
    return [
        Check("tools", "the rule checkers themselves find planted offences", tool("tools_test.py"), QUICK),
        Check("runner", "./check itself says so when something fails", tool("check_test.py"), QUICK),
        Check("rooms", "includes go downward in the order of docs/hacking.md", tool("rooms.py"), QUICK),
        Check("lengths", "files of at most 800 lines, functions of at most 70", tool("lengths.py"), QUICK),
        Check("format", "clang-format changes nothing", code_format, QUICK),
        Check("links", "what the pages point to exists", tool("links.py"), QUICK),
        Check("locks", "lock files carry no registry host", locks, QUICK),
        Check("build-gcc", "gcc, warnings are errors, page embedded", build("gcc"), QUICK),
        Check("unit-gcc", "unit tests", unit("gcc", "--suite", "unit"), QUICK),
        Check("purity", "logic rooms ask nothing of the outside", tool("purity.py", BUILD), QUICK),
        Check("notices", "NOTICES.md names what the binary carries and asks for", notices, QUICK),
        Check("sim-seeds", f"simulator, {options.sim_seeds} seeds", sim_seeds("world", options.sim_seeds), QUICK),
        Check("sim-commit", f"simulator of commits, {options.commit_seeds} seeds",
              sim_seeds("commit", options.commit_seeds), QUICK),
        Check("sim-cluster", f"simulator of clusters, {options.cluster_seeds} seeds",
              sim_seeds("cluster", options.cluster_seeds), QUICK),
        *scenes(options),
        Check("torture", "people trade while their server and its disk fail in every way", torture(options)),
        Check("bench-cluster", "a cluster with 1,000 bots, measured", bench_cluster),
        Check("bench-kill", "a home and a gate die under 1,000 bots", bench_kill),
        Check("page", "tests of the page in node and in a browser", unit("gcc", "--no-suite", "unit")),
        Check("sim-mutants", "each planted bug is caught by the simulator", sim_mutants("world", 13)),
        Check("sim-commit-mutants", "each planted bug of commits and value is caught", sim_mutants("commit", 22)),
        Check("sim-cluster-mutants", "each planted bug of a cluster is caught", sim_mutants("cluster", 16)),
        Check("build-clang", "clang -O0, warnings are errors", build("clang")),
        Check("unit-clang", "unit tests", unit("clang", "--suite", "unit")),
        Check("build-asan", "AddressSanitizer and UBSan", build("asan")),
        Check("unit-asan", "unit tests", unit("asan", "--suite", "unit", "-t", "4")),
        Check("sim-agree", "one hash per seed from gcc, clang -O0 and ASan", sim_agree),
        Check("build-tsan", "ThreadSanitizer", build("tsan")),
        Check("unit-tsan", "unit tests", unit("tsan", "--suite", "unit", "-t", "4")),
        Check("build-fuzz", "libFuzzer targets with ASan and UBSan", build("fuzz")),
        Check("fuzz", f"each decoder for {options.fuzz_s} s on its corpus", fuzz(options)),
        Check("valgrind", "unit tests, uninitialised memory", unit_valgrind, LONG),
        Check("sim-fleet", "simulator of clusters of 100 nodes, 20 seeds",
              sim_seeds("cluster", 20, "--players", 100), LONG),
        Check("tidy", "clang-tidy", lint, LONG),
    ]


def needed_build(name):
    """Sanitizer scenes stand early in the list, by name; their build comes first all the same."""
    return next((b for b in ("asan", "tsan") if name.endswith(f"-{b}")), None)


def ordered(checks):
    """Scenes of a sanitizer build move behind that build."""
    late = [c for c in checks if c.name.startswith("scene-") and needed_build(c.name)]
    result = []
    for check in checks:
        if check in late:
            continue
        result.append(check)
        if check.name.startswith("unit-"):
            result += [c for c in late if needed_build(c.name) == check.name.removeprefix("unit-")]
    return result


def selected(checks, arguments, depth):
    if not arguments.only:
        return [c for c in checks if c.depth <= depth]
    prefixes = arguments.only.split(",")
    chosen = [c for c in checks if any(c.name.startswith(p) for p in prefixes)]
    if not chosen:
        sys.exit(f"check: no check begins with {arguments.only} (see --list)")
    return chosen


# ---------------------------------------------------------------- report

def run_one(check):
    """Runs it and prints its line. A check that counted nothing itself counts as one."""
    check.log_path.unlink(missing_ok=True)
    start = time.monotonic()
    try:
        check.run(check)
        why = excerpt = None
    except Failed as failure:
        why = str(failure)
        excerpt = check.last_excerpt if failure.excerpt is None else failure.excerpt
    counts = check.counts
    if why is not None and counts.failed == 0:
        counts.failed = 1
    elif counts == Counts():
        counts.passed = 1
    seconds = time.monotonic() - start
    told = f"{counts.passed} passed" + (f", {counts.skipped} skipped" if counts.skipped else "")
    word = "ok" if why is None else "not ok"
    print(f"{word} {check.name} ({seconds:.1f} s, {told})", flush=True)
    if why is not None:
        print(f"   {why}\n   log: {check.log_path.relative_to(ROOT)}")
        print("".join(f"   | {line}\n" for line in excerpt.splitlines()), end="", flush=True)


def total(checks):
    passed, failed, skipped = (sum(getattr(c.counts, k) for c in checks) for k in ("passed", "failed", "skipped"))
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""), flush=True)
    return failed == 0 and passed > 0


def parse_arguments():
    parser = argparse.ArgumentParser(usage=argparse.SUPPRESS, add_help=False)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--only")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--help", "-h", action="store_true")
    arguments = parser.parse_args()
    if arguments.help:
        print(__doc__)
        sys.exit(0)
    if arguments.quick and arguments.long:
        parser.error("--quick and --long exclude each other")
    return arguments


def main():
    arguments = parse_arguments()
    depth = QUICK if arguments.quick else LONG if arguments.long else FULL
    options = Options(depth, sim_seeds=[20, 200, 2000][depth], commit_seeds=[64, 2000, 20000][depth],
                      cluster_seeds=[20, 300, 3000][depth], fuzz_s=[5, 5, 120][depth])
    checks = selected(ordered(all_checks(options)), arguments, depth)
    if arguments.list:
        for check in checks:
            print(f"{check.name:24} {check.what}")
        return
    LOGS.mkdir(parents=True, exist_ok=True)
    os.environ["PATH"] += f":{BUILD / 'tools'}"  # promtool, where the installer put it
    start = time.monotonic()
    for check in checks:
        run_one(check)
    print(f"{len(checks)} checks in {time.monotonic() - start:.0f} s", flush=True)
    sys.exit(0 if total(checks) else 1)


if __name__ == "__main__":
    main()
