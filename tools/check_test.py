#!/usr/bin/python3
"""./check itself is checked: its runner is given programs that fail in every way it knows, and must say so."""

import contextlib
import io
import json
import os
import shutil
import tempfile
import unittest
from pathlib import Path

import check
from check import Check, Counts, Failed

MUTANTS = [f"mutant_{n}" for n in range(6)]


class Runner(unittest.TestCase):
    def setUp(self):
        self.root = Path(tempfile.mkdtemp(prefix="seom-check-"))
        self.addCleanup(shutil.rmtree, self.root)
        for name, value in {"ROOT": self.root, "LOGS": self.root, "PROGRESS_S": 0.1,
                            "BUILDS": {n: (self.root / n, "", []) for n in ("gcc", "clang", "asan")}}.items():
            self.addCleanup(setattr, check, name, getattr(check, name))
            setattr(check, name, value)
        self.check = Check("tried", "", None)

    def program(self, path, script):
        path = self.root / path
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)
        return path

    def fails(self, word, function):
        with self.assertRaisesRegex(Failed, word):
            function(self.check)

    # the runner

    def test_exit_codes(self):
        self.assertEqual(check.run(self.check, "/bin/true"), (0, ""))
        self.fails("exit 1", lambda c: check.run(c, "/bin/false"))
        self.assertEqual(check.run(self.check, "/bin/false", allowed=(1,))[0], 1)

    def test_what_takes_too_long_is_killed_with_its_children(self):
        self.program("slow", f"(sleep 0.5; touch {self.root}/alive) & sleep 100")
        with contextlib.redirect_stderr(io.StringIO()):
            self.fails("not done after 0.2 s", lambda c: check.run(c, self.root / "slow", timeout_s=0.2))
        done = check.run(self.check, "/bin/sleep", "0.6")
        self.assertEqual(done[0], 0)
        self.assertFalse((self.root / "alive").exists())

    def test_the_line_and_the_sum(self):
        good = Check("good", "", lambda c: None)
        counted = Check("counted", "", lambda c: check.count_points(c, "ok 1 - a\nnot ok 2 # SKIP b\nok 3 c\n"))
        bad = Check("bad", "", lambda c: check.run(c, "/bin/false"))
        with contextlib.redirect_stdout(io.StringIO()) as out:
            for each in (good, counted, bad):
                check.run_one(each)
            self.assertFalse(check.total([good, counted, bad]))
            self.assertTrue(check.total([good, counted]))
            self.assertFalse(check.total([]))  # nothing was tried
        self.assertIn("ok good", out.getvalue())
        self.assertIn("not ok bad", out.getvalue())
        self.assertIn("\n3 passed, 1 failed, 1 skipped\n", out.getvalue())

    def test_tests_of_meson(self):
        for entry, counts in (
            ({"result": "OK", "stdout": "1..2\nok 1 - a\nok 2 - b\n"}, Counts(passed=2)),
            ({"result": "FAIL", "stdout": "ok 1 - a\nnot ok 2 - b\n"}, Counts(passed=1, failed=1)),
            ({"result": "FAIL", "stdout": "ok 1 - a\n"}, Counts(passed=1, failed=1)),  # then it crashed
            ({"result": "FAIL", "returncode": 0, "stdout": "1..2\nok 1 - a\nnot ok 2 # SKIP b\n"},
             Counts(passed=1, skipped=1)),  # cmocka's way to skip, which meson takes for a failure
            ({"result": "FAIL", "returncode": 0, "stdout": "1..3\nok 1 - a\nnot ok 2 # SKIP b\n"},
             Counts(passed=1, skipped=1, failed=1)),  # it left in the middle
            ({"result": "FAIL", "returncode": 1, "stdout": "1..1\nnot ok 1 # SKIP b\n"},
             Counts(skipped=1, failed=1)),
            ({"result": "TIMEOUT"}, Counts(failed=1)),
            ({"result": "OK"}, Counts(passed=1)),
            ({"result": "SKIP"}, Counts(skipped=1)),
        ):
            one = Check("one", "", None)
            bad = check.count_test(one, {"name": "thing_test", **entry})
            self.assertEqual(one.counts, counts)
            self.assertEqual(bool(bad), counts.failed > 0)

    def told(self, each):
        """What a reader of the console sees of a check."""
        with contextlib.redirect_stdout(io.StringIO()) as out:
            check.run_one(each)
        return out.getvalue()

    def test_a_reader_of_the_console_sees_why_a_test_failed(self):
        races = "".join(f"frame {n}\n" for n in range(200))
        entries = [{"name": "fine_test", "result": "OK", "stdout": "1..1\nok 1 - fine\n", "stderr": "much noise\n"},
                   {"name": "race_test", "result": "ERROR", "returncode": 66, "stdout": "1..2\nok 1 - before\n",
                    "stderr": f"{races}SUMMARY: data race {'x' * 9000} far\n"},
                   {"name": "point_test", "result": "FAIL", "returncode": 1,
                    "stdout": "1..1\nnot ok 1 - counted\n# 2 != 3\n"}]
        self.program("bin/meson", f"cat >{self.root}/gcc/meson-logs/testlog.json <<'END'\n"
                     + "".join(json.dumps(e) + "\n" for e in entries) + "END\nexit 2")
        (self.root / "gcc" / "meson-logs").mkdir(parents=True)
        path = os.environ["PATH"]
        self.addCleanup(os.environ.__setitem__, "PATH", path)
        os.environ["PATH"] = f"{self.root}/bin:{path}"
        told = self.told(Check("unit", "", check.unit("gcc")))
        for seen in ("race_test: ERROR", "exit 66", "ok 1 - before", "frame 199", "SUMMARY: data race", "point_test",
                     "not ok 1 - counted", "# 2 != 3"):
            self.assertIn(seen, told)
        for unseen in ("noise", "frame 100\n", " far"):
            self.assertNotIn(unseen, told)
        self.assertLess(len(told.splitlines()), 80)

    def test_many_that_fail_do_not_fill_the_console(self):
        entries = [{"name": f"t{n}", "result": "ERROR", "returncode": 1, "stderr": "line\n" * 99} for n in range(99)]
        self.assertLess(len(check.excerpt_of_tests(entries).splitlines()), 250)
        self.assertIn("95 more", check.excerpt_of_tests(entries))

    def test_a_reader_of_the_console_sees_the_end_of_the_log(self):
        self.program("scene", "for i in {1..90}; do echo \"step $i\"; done; echo Traceback >&2; exit 1")
        self.program("gcc/seom", "")
        told = self.told(Check("scene", "", check.scene("scene", "gcc", check.FULL)))
        for seen in ("step 90", "(exit 1)", "Traceback"):
            self.assertIn(seen, told)
        self.assertNotIn("step 40\n", told)
        self.assertNotIn("step", self.told(Check("fine", "", lambda c: check.run(c, "/bin/echo", "step"))))

    # scenes

    def test_scenes(self):
        self.program("scene", "exit 0")
        self.fails("gcc/seom is not built", check.scene("scene", "gcc", check.FULL))
        self.program("gcc/seom", "")
        for script, counts in (("exit 0", Counts()), ("echo ok 1 - a", Counts(passed=1)),
                               ("exit 77", Counts(skipped=1))):
            self.check.counts = Counts()
            self.program("scene", f'[ "$1" = "$SEOM" ] || exit 3\n{script}')
            check.scene("scene", "gcc", check.FULL)(self.check)
            self.assertEqual(self.check.counts, counts)
        for script in ("exit 1", "kill -9 $$", "echo not ok 1 - a"):
            self.check.counts = Counts()
            self.program("scene", script)
            self.fails("", check.scene("scene", "gcc", check.FULL))

    def test_marks_of_a_scene(self):
        self.program("scene", "# check: full sanitizers\n# to check: nothing")
        marks = check.scene_marks("scene")
        self.assertEqual(marks, {"full", "sanitizers"})
        self.assertEqual(check.scene_depth(marks), check.FULL)

    # simulator

    def test_mutants(self):
        def answers(code, listed=MUTANTS):
            self.check.counts = Counts()
            listed = json.dumps({"mutants": listed})
            self.program("gcc/seom", f"case $* in *--list-mutants*) echo '{listed}'; exit 0; esac\nexit {code}")
            check.sim_mutants("world", 6)(self.check)
        for code in (10, 11, 12):
            answers(code)
            self.assertEqual(self.check.counts, Counts(passed=6))
        for code in (0, 1, 2, 77):
            with self.assertRaisesRegex(Failed, "mutant_5"):
                answers(code)
            self.assertEqual(self.check.counts.failed, 6)
        with self.assertRaisesRegex(Failed, "at least 6"):
            answers(12, ["mutant_0"])

    def test_seeds(self):
        seeds = check.sim_seeds("commit", 3)
        self.program("gcc/seom", """echo noise; echo '{"seeds": 3, "events": 9}'""")
        seeds(self.check)
        for script in ("""echo '{"seeds": 2, "events": 9}'""", """echo '{"seeds": 3, "events": 0}'""", "echo fine", "",
                       """echo '{"seeds": 3, "events": 9}'; exit 12"""):
            self.program("gcc/seom", script)
            self.fails("", seeds)

    def test_hashes(self):
        def answers(*hashes):
            for name, value in zip(("gcc", "clang", "asan"), hashes):
                self.program(f"{name}/seom", f"""echo '{{"trace_hash": "{value}"}}'""")
            check.sim_agree(self.check)
        answers("0123456789abcdef", "0123456789abcdef", "0123456789abcdef")
        for hashes in (("0123456789abcdef", "0123456789abcdef", "0123456789abcdee"), ("0", "0", "0"),
                       ("None", "None", "None")):
            with self.assertRaisesRegex(Failed, "hashes"):
                answers(*hashes)


if __name__ == "__main__":
    unittest.main()
