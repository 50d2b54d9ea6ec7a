#!/usr/bin/python3
"""The command line as a person meets it: every command explains itself, everything unknown is an error that names it
(exit 2), and configuration comes from the place that it should.

    scene_cli.py PATH_TO_SEOM        prints TAP

check: sanitizers
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import traceback

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMMANDS = ["dev", "cluster", "nodes", "node", "roll", "spof", "home", "gate", "relay", "bots", "bench", "sim", "islands", "players", "doc",
            "ledger", "audit", "switches", "backup", "restore", "promote", "store", "tree", "decode", "config", "version", "help"]
GROUPS = {"bench": ["limit", "world", "crowd", "store"], "islands": ["import", "show", "shards"], "doc": ["get", "put", "history"],
          "store": ["verify", "copy"], "cluster": ["up", "down"], "node": ["add", "start", "kill", "drain", "close", "open", "restart"]}
SECONDS = 20

seom = None


class Answer:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def __repr__(self):
        return f"exit {self.code}\nstdout: {self.out}\nstderr: {self.err}"

    def json(self):
        assert self.code == 0, self
        return json.loads(self.out.splitlines()[-1])


def run(*arguments, **environment):
    """Runs seom in an empty directory, with none of our names in the environment but the given ones."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SEOM_")}
    with tempfile.TemporaryDirectory(prefix="seom-cli-") as directory:
        return Answer(subprocess.run([seom, *arguments], cwd=directory, env=clean | environment, text=True,
                                     stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False))


def refused(answer, *parts):
    """Exit 2, nothing on stdout, and stderr names what was wrong."""
    assert answer.code == 2, answer
    assert answer.out == "", answer
    for part in parts:
        assert part in answer.err, f"'{part}' is not named\n{answer}"


def every_command_line():
    for name in COMMANDS:
        yield [name]
        for child in GROUPS.get(name, []):
            yield [name, child]


def test_help_lists_every_command():
    answer = run("--help")
    assert answer.code == 0, answer
    listed = re.findall(r"^  ([a-z]+)  +\S", answer.out.split("Commands:\n")[1], re.MULTILINE)
    assert listed == COMMANDS, listed
    assert run("help").out == answer.out


def test_every_command_explains_itself():
    for words in every_command_line():
        answer = run(*words, "--help")
        assert answer.code == 0, f"{words}: {answer}"
        assert answer.out.startswith(f"Usage: seom {' '.join(words)}"), f"{words}: {answer}"
        assert answer.err == "", f"{words}: {answer}"
        if words != ["help"]:
            assert run("help", *words).out == answer.out, words


def test_unknown_commands_are_named():
    refused(run("walk"), "seom: unknown command 'walk'", "--help")
    refused(run("bench", "everything"), "seom bench: unknown command 'everything'")
    refused(run("help", "walk"), "'walk'")
    refused(run("help", "bench", "everything"), "'everything'")
    refused(run(), "which command?")
    refused(run("bench"), "which command?")


def test_a_bench_says_why_its_cluster_does_not_come_up():
    # What the cluster said goes to a log in a directory that is removed with everything in it.
    with tempfile.TemporaryDirectory(prefix="seom-cli-" + "x" * 80) as directory:
        answer = run("bench", "cluster", "--players", "20", TMPDIR=directory)
        assert answer.code == 1 and answer.out == "", answer
        assert "the cluster does not come up" in answer.err, answer
        assert "choose a shorter --data" in answer.err, answer
        assert not os.listdir(directory), os.listdir(directory)


def test_unknown_options_are_named():
    refused(run("--frobnicate"), "--frobnicate")
    for words in every_command_line():
        refused(run(*words, "--frobnicate"), "--frobnicate", " ".join(words))


def test_unexpected_arguments_are_named():
    refused(run("config", "stray"), "'stray'")
    refused(run("dev", "stray"), "'stray'")
    refused(run("version", "stray"))
    refused(run("config", "--bots"), "--bots")


def test_version():
    told = run("version").json()
    assert re.fullmatch(r"\d+\.\d+\.\d+", told["version"]), told
    assert told["revision"], told
    assert told["compiler"], told
    assert 1 <= told["protocol"]["min"] <= told["protocol"]["max"], told
    assert told["data_format"] >= 1, told
    assert 1 <= told["links"]["min"] <= told["links"]["max"], told
    assert run("--version").out == f"seom {told['version']} ({told['revision']})\n"


def origin(told, key):
    return told["config"][key]["value"], told["config"][key]["origin"]


def test_defaults():
    told = run("config").json()
    assert told["file"] == "", told
    wanted = {"data": "./seom-data", "play": "127.0.0.1:7777", "http": "127.0.0.1:7780", "bots": 200, "for_s": 0,
              "plain": False}
    for key, value in wanted.items():
        assert origin(told, key) == (value, "default"), (key, told)


def test_command_line_over_environment_over_file():
    with tempfile.TemporaryDirectory(prefix="seom-cli-") as data:
        file = pathlib.Path(data, "seom.yaml")
        file.write_text("bots: 1\nworld: 11\nlog_level: warn\n", encoding="utf-8")
        told = run("config", "--data", data, "--bots", "3", SEOM_BOTS="2", SEOM_WORLD="22").json()
        assert told["file"] == str(file), told
        assert origin(told, "log_level") == ("warn", "file"), told
        assert origin(told, "world") == (22, "environment"), told
        assert origin(told, "bots") == (3, "command line"), told
        assert origin(told, "data") == (data, "command line"), told
        assert origin(told, "http") == ("127.0.0.1:7780", "default"), told

        told = run("config", SEOM_DATA=data).json()
        assert origin(told, "bots") == (1, "file"), told

        other = pathlib.Path(data, "other.yaml")
        other.write_text("for_s: 9\n", encoding="utf-8")
        for option in ["--config", "--file"]:
            told = run("config", "--data", data, option, str(other)).json()
            assert told["file"] == str(other), told
            assert origin(told, "for_s") == (9, "file"), told
            assert origin(told, "bots") == (200, "default"), told


def test_wrong_files_are_refused_with_key_and_line():
    with tempfile.TemporaryDirectory(prefix="seom-cli-") as data:
        file = pathlib.Path(data, "seom.yaml")
        for text, parts in [
                ("bots: 1\n\nbotz: 2\n", ["seom.yaml:3:", "unknown key 'botz'"]),
                ("bots: 1\nplay: nowhere\n", ["seom.yaml:2:", "play", "'nowhere'"]),
                ("bots: 20001\n", ["seom.yaml:1:", "bots", "from 0 to 20000"]),
                ("bots: 1\nbots: 2\n", ["seom.yaml:", "bots"]),
                ("bots\n", ["seom.yaml:1:"]),
                ("bots: [1, 2]\n", ["seom.yaml:1:", "bots"])]:
            file.write_text(text, encoding="utf-8")
            for command in ["config", "dev"]:
                refused(run(command, "--data", data), *parts)
    refused(run("config", "--config", "/nowhere/seom.yaml"), "/nowhere/seom.yaml")


def test_wrong_values_name_their_key():
    refused(run("dev", "--bots", "many"), "bots", "'many'")
    refused(run("dev", "--for", "-1"), "for_s", "from 0")
    refused(run("config", SEOM_GATE_THREADS="0"), "SEOM_GATE_THREADS", "gate_threads", "from 1")
    refused(run("config", "--log-level", "loud"), "log_level", "error|warn|info|debug")
    refused(run("config", "--game", "chess"), "game", "'chess'")


def test_bad_addresses():
    for text in ["7777", ":7777", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "::1:7777", "[::1]", "[::1:7777",
                 "example.org:7777", "1.2.3:7777"]:
        refused(run("dev", "--play", text), "play", f"'{text}'")
        refused(run("dev", "--http", text), "http", f"'{text}'")
    for text in ["127.0.0.1:7777", "127.1.2.3:0", "[::1]:7777", "localhost:7777"]:
        run("config", "--play", text).json()


def settings():
    """(option, the commands that have it, as words) of each row of docs/config.md."""
    page = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    for row in re.findall(r"^\| `[a-z_]+` \|.*$", page, re.MULTILINE):
        whose, option = (cell.strip() for cell in row.split("|")[4:6])
        yield re.match(r"`(--[a-z-]+)", option)[1], [tuple(name.split()) for name in whose.split(", ")]


def test_each_command_takes_its_own_settings_and_names_those_of_others():
    commands = [("dev",), ("cluster", "up"), ("home",), ("gate",), ("relay",)]
    rows = list(settings())
    assert len(rows) > 20 and all(rows), rows
    for words in commands:
        offered = set(re.findall(r"--[a-z-]+", run(*words, "--help").out))
        for option, whose in rows:
            assert (option in offered) == (words in whose), (words, option, whose)
            if words not in whose:
                given = [option] if option in ("--plain", "--take-over") else [option, "1"]
                refused(run(*words, *given), option, f"of seom {' '.join(words)} ", *(" ".join(name) for name in whose))
    offered = set(re.findall(r"--[a-z-]+", run("config", "--help").out))
    assert {option for option, _ in rows} <= offered, offered


def test_an_open_play_address_needs_plain():
    for text in ["0.0.0.0:7777", "[::]:7777", "192.0.2.1:7777"]:
        for command in ["config", "dev"]:
            refused(run(command, "--play", text), "play", text, "--plain", "encrypted")
        assert origin(run("config", "--play", text, "--plain").json(), "plain") == (True, "command line")
        assert origin(run("config", "--play", text, SEOM_PLAIN="1").json(), "plain") == (True, "environment")


def test_reference_pages_are_up_to_date():
    for option, page in [("--reference", "config.md"), ("--metrics", "metrics.md")]:
        answer = run("config", option)
        assert answer.code == 0, answer
        assert answer.out == (ROOT / "docs" / page).read_text(encoding="utf-8"), \
            f"docs/{page} is old: seom config {option} > docs/{page}"


def test_output_that_cannot_be_written_is_a_failure():
    with open("/dev/full", "w", encoding="utf-8") as full:
        for words in [["version"], ["config"], ["config", "--reference"]]:
            done = subprocess.run([seom, *words], stdout=full, stderr=subprocess.DEVNULL, timeout=SECONDS, check=False)
            assert done.returncode == 1, (words, done.returncode)


def main():
    global seom
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    seom = str(pathlib.Path(sys.argv[1]).resolve())
    tests = [(name, thing) for name, thing in globals().items() if name.startswith("test_")]
    print(f"1..{len(tests)}")
    failed = 0
    for number, (name, test) in enumerate(tests, 1):
        try:
            test()
            print(f"ok {number} - {name}")
        except Exception:  # a test that breaks is a test that failed
            failed += 1
            print(f"not ok {number} - {name}")
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
