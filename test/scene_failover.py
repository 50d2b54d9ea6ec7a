#!/usr/bin/python3
"""PostgreSQL dies and its standby takes its place: what was acknowledged is there.

A primary and a standby that every commit waits for (synchronous_standby_names = 'ANY 1 (*)'), and a writer that counts
up documents and knows both addresses. The primary is killed (-9, all of its processes) while commits are under way, the
standby is promoted; the writer goes on by itself, and afterwards every document is read and compared with what was told
OK. Prints how long nothing could be committed.

check: full
"""
import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import postgres  # noqa: E402  (its directory was just made known)

ROUNDS = 3
PATIENCE_S = 60
SYNCHRONOUS = {"synchronous_standby_names": "ANY 1 (*)"}


def wait_for(what, text):
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, f"{text}: not after {PATIENCE_S} s"
        time.sleep(0.05)


class Writer:
    """The program beside this scene; it tells each second, and at its end, what it did, as JSON lines."""

    def __init__(self, program, address):
        self.process = subprocess.Popen([program, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def until_commits(self, count):
        """Reads its lines until it has been told OK so often since now."""
        first = None
        for line in self.process.stdout:
            told = json.loads(line)
            first = told["ok"] if first is None else first
            if told["ok"] - first >= count:
                return told
        raise AssertionError("the writer ended")

    def end(self):
        """Its last line: it has read everything."""
        self.process.stdin.close()
        *_, last = self.process.stdout.read().splitlines()
        assert self.process.wait(PATIENCE_S) == 0
        return json.loads(last)


def failover(program):
    with postgres.Server(parent="/var/tmp", **SYNCHRONOUS) as primary, primary.replica(wal_retrieve_retry_interval="200ms") as standby:
        wait_for(lambda: primary.query("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'") == ["1"],
                 "the standby follows")
        with Writer(program, postgres.address(primary, standby)) as writer:
            writer.until_commits(2000)
            primary.kill()
            standby.promote()
            writer.until_commits(2000)
            return writer.end()


def main():
    if postgres.binaries() is None:
        print("1..0 # SKIP PostgreSQL's server is not installed")
        return postgres.SKIPPED
    program = pathlib.Path(sys.argv[1]).resolve().parent / "test" / "failover_writer"
    if not program.exists():
        print(f"1..0 # SKIP {program} is not built")
        return postgres.SKIPPED
    print(f"1..{ROUNDS}")
    failed = 0
    for number in range(1, ROUNDS + 1):
        told = failover(program)
        fine = told["lost"] == 0 and told["wrong"] == 0 and told["connects"] > 3
        failed += not fine
        print(f"{'ok' if fine else 'not ok'} {number} - {told['ok']} commits told OK, {told['unknown']} UNKNOWN, of which"
              f" {told['happened']} had happened, {told['lost']} lost, {told['wrong']} wrong; nothing could be committed for"
              f" {told['pause_ms'] / 1000:.1f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    os.environ["LC_ALL"] = "C"
    sys.exit(main())
