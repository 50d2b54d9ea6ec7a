#!/usr/bin/python3
"""The checkers are checked: each is run on a small tree that is clean, then on one with a planted offence,
which it must name. A checker that stays green over a planted offence fails here."""

import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
HACKING = "`base` < `env` < `os` < `wire` < `client` < `store` < `world` < `view` < `rules` < `proof`\n"
ROOMS = [name.strip("`") for name in HACKING.strip().split(" < ")]
FUNCTION = "int\nthing(void)\n{\n%s    return 0;\n}\n"


class Planted(unittest.TestCase):
    def setUp(self):
        self.root = Path(tempfile.mkdtemp(prefix="seom-tools-"))
        self.addCleanup(shutil.rmtree, self.root)
        shutil.copytree(TOOLS, self.root / "tools", ignore=shutil.ignore_patterns("__pycache__"))
        self.write("docs/hacking.md", HACKING + "[self](hacking.md)\n")
        self.write("meson.build", "".join(f"subdir('{self.directory(r)}')\n" for r in ROOMS))
        for room in ROOMS:
            self.write(f"{self.directory(room)}/{room}.h", "")
        self.write("src/world/thing.c", '#include "base/base.h"\n#include "world/world.h"\n' + FUNCTION % "")

    @staticmethod
    def directory(room):
        return room if room == "client" else f"src/{room}"

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def run_tool(self, name, *arguments):
        subprocess.run(["git", "init", "-q"], cwd=self.root, check=True)
        subprocess.run(["git", "add", "-A"], cwd=self.root, check=True)
        done = subprocess.run([sys.executable, self.root / "tools" / name, *arguments], cwd=self.root,
                              capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def clean(self, name, *arguments):
        code, text = self.run_tool(name, *arguments)
        self.assertEqual(code, 0, text)

    def offends(self, word, name, *arguments):
        code, text = self.run_tool(name, *arguments)
        self.assertEqual(code, 1, text)
        self.assertIn(word, text)

    # rooms.py

    def test_a_clean_house(self):
        self.clean("rooms.py")
        self.clean("lengths.py")
        self.clean("links.py")

    def test_an_include_upward(self):
        self.write("src/base/base.h", '#include "world/world.h"\n')
        self.offends("world stands above base", "rooms.py")

    def test_an_upward_include_in_a_test(self):
        self.write("src/base/base_test.c", '  #  include "world/world.h"\n')
        self.offends("world stands above base", "rooms.py")

    def test_a_logic_room_that_includes_os(self):
        self.write("src/world/world.h", '#include "os/os.h"\n')
        self.offends("os reaches the outside", "rooms.py")

    def test_helpers_of_tests(self):
        self.write("src/world/desk.h", '/* Desk.\n * Tests only. */\n#include "os/os.h"\n')
        self.write("src/world/desk.c", '#include "world/desk.h"\n#include "os/os.h"\n')
        self.write("src/world/thing_test.c", '#include "world/desk.h"\n')
        self.clean("rooms.py")
        self.write("src/view/view.h", '#include "world/desk.h"\n')
        self.offends("is for tests only", "rooms.py")

    def test_an_include_without_its_room(self):
        self.write("src/world/world.h", '#include "other.h"\n')
        self.offends("without its room", "rooms.py")

    def test_a_room_without_a_place(self):
        self.write("src/cellar/cellar.c", "")
        self.offends("cellar has no place", "rooms.py")

    def test_a_build_in_another_order(self):
        self.write("meson.build", "".join(f"subdir('{self.directory(r)}')\n" for r in reversed(ROOMS)))
        self.offends("meson.build enters", "rooms.py")

    # lengths.py

    def test_a_function_of_70_lines_and_one_of_71(self):
        self.write("src/world/thing.c", FUNCTION % ("    ;\n" * 65))
        self.clean("lengths.py")
        self.write("src/world/thing.c", FUNCTION % ("    ;\n" * 66))
        self.offends("thing: 71 lines", "lengths.py")

    def test_a_long_file(self):
        self.write("src/world/more.h", "\n" * 801)
        self.offends("801 lines", "lengths.py")

    # links.py

    def test_a_broken_link(self):
        self.write("docs/page.md", "[a](gone.md#part) [b](https://example.org/gone.md)\n")
        self.offends("gone.md", "links.py")

    # purity.py

    def compile(self, room, code):
        directory = self.root / "build" / self.directory(room) / f"lib{room}.a.p"
        directory.mkdir(parents=True, exist_ok=True)
        subprocess.run(["gcc", "-x", "c", "-c", "-", "-o", directory / "thing.c.o"], input=code, text=True,
                       check=True)

    def test_purity(self):
        self.compile("base", "int helper(void) { return 0; }")
        self.compile("world", "int helper(void); void *malloc(unsigned long);"
                              "int thing(void) { return helper() + (malloc(1) != 0); }")
        self.clean("purity.py", "build")
        for symbol in ("clock_gettime", "open", "socket", "pthread_create", "rand", "getrandom", "mdb_get"):
            self.compile("world", f"int {symbol}(); int thing(void) {{ return {symbol}(); }}")
            self.offends(symbol, "purity.py", "build")

    def test_purity_does_not_take_other_rooms_for_pure(self):
        self.compile("os", "int os_clock(void) { return 0; }")
        self.compile("world", "int os_clock(void); int thing(void) { return os_clock(); }")
        self.offends("os_clock", "purity.py", "build")

    def test_purity_of_nothing(self):
        self.offends("0 objects", "purity.py", "build")


class Installer(unittest.TestCase):
    """tools/install.sh on machines made of a PATH with little on it."""

    def setUp(self):
        self.bin = Path(tempfile.mkdtemp(prefix="seom-install-"))
        self.addCleanup(shutil.rmtree, self.bin)
        for name in ("bash", "sed", "grep", "dirname", "env"):
            (self.bin / name).symlink_to(shutil.which(name))
        self.program("id", "echo 0")

    def program(self, name, script):
        (self.bin / name).write_text(f"#!{self.bin}/bash\n{script}\n")
        (self.bin / name).chmod(0o755)

    def install(self, wanted):
        done = subprocess.run([self.bin / "bash", TOOLS / "install.sh", wanted], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, env={"PATH": str(self.bin)})
        return done.returncode, done.stderr

    def packages(self, *sets):
        rows = [line.split() for line in (TOOLS / "packages.txt").read_text().splitlines()]
        return [row[0] for row in rows if row and row[0] != "#" and len(row) > 3 and row[1] in sets]

    def test_another_system_gets_the_list_and_the_reasons(self):
        code, text = self.install("build")
        self.assertEqual(code, 1)
        self.assertIn("not a Debian system", text)
        self.assertRegex(text, r"liblmdb-dev +the embedded store")
        self.assertNotIn("chromium", text)

    def test_a_user_without_sudo_is_told_the_command(self):
        self.program("apt-get", "exit 9")
        self.program("dpkg-query", "exit 0")
        self.program("id", "echo 1000")
        code, text = self.install("build")
        self.assertEqual(code, 1)
        self.assertIn("as root run: apt-get install", text)

    def test_only_what_is_missing_is_installed(self):
        state = self.bin / "installed"
        state.write_text("".join(f"installed {p}\n" for p in self.packages("build") if p not in ("gcc", "npm")))
        self.program("dpkg-query", f'while read -r line; do echo "$line"; done <{state}')
        self.program("apt-get", f'echo "apt-get $*, $DEBIAN_FRONTEND" >>{self.bin}/calls\n'
                                f'[ $1 = update ] || for p in gcc npm; do echo "installed $p" >>{state}; done')
        self.assertEqual(self.install("build")[0], 0)
        calls = (self.bin / "calls").read_text().splitlines()
        self.assertEqual(len(calls), 2)
        self.assertRegex(calls[0], "update.*noninteractive")
        self.assertRegex(calls[1], "install.* -y .* gcc npm, noninteractive")
        self.assertEqual(self.install("build"), (0, ""))  # and then it has nothing to say or to do
        self.assertEqual(len((self.bin / "calls").read_text().splitlines()), 2)

    def test_an_installation_that_did_not_help(self):
        self.program("dpkg-query", "exit 0")
        self.program("apt-get", "exit 0")
        code, text = self.install("build")
        self.assertEqual(code, 1)
        self.assertIn("still missing", text)


if __name__ == "__main__":
    unittest.main()
