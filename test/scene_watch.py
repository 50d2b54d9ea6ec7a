#!/usr/bin/python3
"""What one person can see of a cluster: its figures are clean in the eyes of promtool and hold what docs/metrics.md promises,
those of links, directory and store move when their cause does, and `seom nodes` says in words what is not as it should be and
what it waits for.

    scene_watch.py PATH_TO_SEOM      prints TAP

check: full
"""
import atexit
import re
import shutil
import subprocess
import sys

from scene_cluster import Cluster, Crowd
from seom_scene import ROOT, main, run, until

OPEN_S = 40     # for a node that waited for the directory, whose calls are paced up to 4 s, or for the store, up to 5 s
SERIES = re.compile(r'^(seom_\w+)\{world="[^"]*",node="([^"]*)",host="[^"]*",?([^}]*)\} (\S+)$')


def cluster(seom):
    """The one that all tests share."""
    if not hasattr(cluster, "it"):
        cluster.it = Cluster(seom, homes=2, gates=1)
        atexit.register(cluster.it.end)
        cluster.it.up()
    assert until(cluster.it.all_serve), cluster.it.nodes()
    return cluster.it


def figures(c):
    """(name, node, other labels) -> value."""
    found = [SERIES.match(line) for line in c.get("/metrics").splitlines() if not line.startswith("#")]
    return {(m[1], m[2], m[3]): float(m[4]) for m in found}


def link(values, name, node, peer, rest=""):
    return values[(f"seom_link_{name}", node, f'peer="{peer}"{rest}')]


def becomes(c, name, node, wanted, labels=""):
    """Until a figure is as it is wanted; it, or the last one."""
    last = until(lambda: (v := figures(c).get((name, node, labels))) is not None and wanted(v) and (v,), OPEN_S)
    assert last, (name, node, labels, figures(c).get((name, node, labels)))
    return last[0]


def words(c, *options):
    done = run(c.seom, "nodes", "--data", c.data, *options)
    assert done.returncode == 0, done.stderr
    return done.stderr


def says(c, pattern):
    assert until(lambda: re.search(pattern, words(c)), OPEN_S), f"not said: {pattern}\n{words(c)}"


def test_everything_promised_is_told_once(seom):
    c = cluster(seom)
    promised = re.findall(r"^\| `(seom_\w+)` \|", (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert until(lambda: {node for _, node, _ in figures(c)} == {"home-1", "home-2", "gate-1"}), figures(c).keys()
    text = c.get("/metrics")
    told = re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE)
    assert sorted(told) == sorted(promised), set(told) ^ set(promised)
    if shutil.which("promtool") is not None:
        done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
        assert done.returncode == 0 and done.stderr == "", done.stderr


def test_links_are_told_at_both_ends_and_move(seom):
    c = cluster(seom)
    ends = [("home-1", "home-2"), ("home-1", "gate-1"), ("home-2", "home-1"), ("home-2", "gate-1"), ("gate-1", "home-1"),
            ("gate-1", "home-2")]
    with Crowd(c):
        before = until(lambda: (v := figures(c)) and all(("seom_link_up", a, f'peer="{b}"') in v for a, b in ends) and v)
        assert {(a, b) for name, a, b in before if name == "seom_link_up"} == {(a, f'peer="{b}"') for a, b in ends}
        for a, b in ends:
            ups, breaks = link(before, "ups_total", a, b), link(before, "breaks_total", a, b)
            assert link(before, "up", a, b) == 1 and ups == breaks + 1, (a, b, ups, breaks)
            becomes(c, "seom_link_sent_bytes_total", a, lambda v, a=a, b=b: v > link(before, "sent_bytes_total", a, b), f'peer="{b}"')
            becomes(c, "seom_link_received_bytes_total", a, lambda v, a=a, b=b: v > link(before, "received_bytes_total", a, b),
                    f'peer="{b}"')
            becomes(c, "seom_link_round_trip_seconds", a, lambda v: 0 < v < 5, f'peer="{b}"')
        now = figures(c)
        for node in ("home-1", "home-2"):
            assert now[("seom_links", node, 'state="up"')] == 2 and now[("seom_book_nodes", node, "")] == 2, node
        for name in ("heartbeat_round_trip_seconds_count", "link_messages_sent_total", "link_messages_received_total"):
            assert all(now[(f"seom_{name}", node, "")] > 0 for node in ("home-1", "home-2", "gate-1")), name
        assert now[("seom_gate_topics", "gate-1", "")] > 0 and now[("seom_subscribes_total", "gate-1", "")] > 0
    table = words(c, "--links")
    for a, b in ends:
        assert re.search(rf"^{a} +{b} +up +\d+\.\d\d ", table, re.MULTILINE), table
    assert not re.search("^  ", table, re.MULTILINE), f"all is well, and something is said:\n{table}"


def test_the_store_tells_what_it_does(seom):
    c = cluster(seom)
    now = figures(c)
    for node in ("home-1", "home-2"):
        assert now[("seom_store_servers", node, "")] == 1 and now[("seom_store_servers_away", node, "")] == 0
        assert now[("seom_store_connections", node, "")] >= 2, node
    commits = {node: now[("seom_store_commits_total", node, "")] for node in ("home-1", "home-2")}
    with Crowd(c):
        until(lambda: sum(figures(c)[("seom_store_commits_total", n, "")] for n in commits) > sum(commits.values()))
    now = figures(c)
    assert sum(now[("seom_store_commits_total", n, "")] for n in commits) > sum(commits.values()), commits
    assert sum(now[("seom_store_group_seconds_count", n, "")] for n in commits) > 0


def test_a_home_that_dies_and_waits_for_the_directory(seom):
    c = cluster(seom)
    before = figures(c)
    assert before[("seom_directory_away", "home-1", "")] == 0 and before[("seom_directory_claims_total", "home-1", "")] >= 1
    broke = link(before, "breaks_total", "home-1", "home-2")
    renewals = before[("seom_directory_lease_renewals_total", "home-1", "")]
    becomes(c, "seom_directory_lease_renewals_total", "home-1", lambda v: v > renewals)
    c.do("node", "kill", "etcd", "-STOP")
    c.do("node", "kill", "home-2", "-9")
    says(c, r"(?m)^  home-2: starting \(\d+ s\); it waits for the directory: ")
    says(c, r"(?m)^  home-2: starting \(\d+ s\); it waits for the directory: it does not answer$")
    says(c, r"(?m)^  home-1 has no link with home-2 \(dead\)$")
    says(c, r"(?m)^  home-1 has no answer of the directory for \d+ s: ")
    becomes(c, "seom_directory_away", "home-1", lambda v: v == 1)
    becomes(c, "seom_directory_away", "home-2", lambda v: v == 1)  # also before it serves
    becomes(c, "seom_directory_answer_age_seconds", "home-1", lambda v: v > 5)
    becomes(c, "seom_links", "home-1", lambda v: v == 1, 'state="dead"')
    now = figures(c)
    assert link(now, "up", "home-1", "home-2") == 0 and link(now, "breaks_total", "home-1", "home-2") > broke
    assert now[("seom_node_deaths_total", "home-1", "")] > before[("seom_node_deaths_total", "home-1", "")]
    c.do("node", "kill", "etcd", "-CONT")
    assert until(c.all_serve, OPEN_S), words(c)
    becomes(c, "seom_directory_away", "home-1", lambda v: v == 0)
    becomes(c, "seom_directory_answer_age_seconds", "home-1", lambda v: v < 5)
    becomes(c, "seom_link_up", "home-1", lambda v: v == 1, 'peer="home-2"')
    now = figures(c)
    ups, breaks = link(now, "ups_total", "home-1", "home-2"), link(now, "breaks_total", "home-1", "home-2")
    assert ups == breaks + 1 > broke + 1, f"the new process is another line: {ups} {breaks} {broke}"


def test_a_gate_that_stands_still_misses_beats(seom):
    c = cluster(seom)
    missed = link(figures(c), "beats_missed_total", "home-1", "gate-1")
    c.do("node", "kill", "gate-1", "-STOP")
    becomes(c, "seom_link_beats_missed_total", "home-1", lambda v: v >= missed + 3, 'peer="gate-1"')
    becomes(c, "seom_link_up", "home-1", lambda v: v == 0, 'peer="gate-1"')
    says(c, r"(?m)^  gate-1: silent \(\d+ s\); it does not answer, see /.*/logs/gate-1\.log$")
    c.do("node", "kill", "gate-1", "-CONT")
    becomes(c, "seom_link_up", "home-1", lambda v: v == 1, 'peer="gate-1"')


def test_a_home_that_waits_for_the_store(seom):
    c = cluster(seom)
    c.do("node", "kill", "postgres", "--stay-dead")
    becomes(c, "seom_store_servers_away", "home-1", lambda v: v == 1)
    becomes(c, "seom_store_connections_lost_total", "home-1", lambda v: v > 0)
    says(c, r"(?m)^  home-1 cannot reach the store: ")
    says(c, r"(?m)^  postgres has ended and is left so: `seom node start postgres` starts it$")
    c.do("node", "kill", "home-2", "-9")
    says(c, r"(?m)^  home-2: starting \(\d+ s\); it waits for the store: it cannot be reached$")
    log = (c.data / "logs" / "home-2.log").read_text(encoding="utf-8")
    assert "home.waits for the store" in log, log[-2000:]
    assert "postgresql:" not in "".join(re.findall("home.waits.*", log)), "the store's address may hold a password"
    c.do("node", "start", "postgres")
    assert until(c.all_serve, OPEN_S), words(c)
    becomes(c, "seom_store_servers_away", "home-1", lambda v: v == 0)


if __name__ == "__main__":
    main(sys.modules[__name__], __doc__)
