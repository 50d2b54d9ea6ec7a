#!/usr/bin/env python3
"""bundle.py page OUT_DIR OUT.c | bundle.py placeholder OUT_DIR OUT.c

Bundles the page with esbuild into OUT_DIR and writes it as the table of web/page.h into OUT.c; placeholder stands in for it
in builds without npm."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
import modules  # noqa: E402

BYTES_A_LINE = 32
MIMES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
PLACEHOLDER = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>seom</title>
<h1>seom</h1>
<p>The world is running, but this binary was built without its page (meson option page=false).
<p>To build it: install npm, then <code>meson configure build -Dpage=true</code> and <code>ninja -C build</code>.
</html>
"""


def table(files):
    """C source of web_files; index.html becomes "/", names that hold their hash are immutable."""
    parts = ["/* Made by web/bundle.py; do not edit. */", '#include "web/page.h"', ""]
    rows = []
    for number, path in enumerate(files):
        data = path.read_bytes()
        lines = [",".join(map(str, data[at : at + BYTES_A_LINE])) + "," for at in range(0, len(data), BYTES_A_LINE)]
        parts += [f"static const uint8_t file_{number}[] = {{", *lines, "0};", ""]
        url = "/" if path.name == "index.html" else f"/{path.name}"
        etag = hashlib.sha256(data).hexdigest()[:16]
        immutable = "false" if url == "/" else "true"
        rows.append(
            f'    {{.path = "{url}", .mime = "{MIMES[path.suffix]}", .bytes = file_{number}, '
            f'.size = sizeof file_{number} - 1, .etag = "\\"{etag}\\"", .immutable = {immutable}}},'
        )
    parts += ["const struct http_file web_files[] = {", *rows, "};", f"const uint32_t web_file_count = {len(rows)};", ""]
    return "\n".join(parts)


def main(arguments):
    if len(arguments) != 3 or arguments[0] not in ("page", "placeholder"):
        print(__doc__, file=sys.stderr)
        return 2
    out = Path(arguments[1]).resolve()
    if arguments[0] == "placeholder":
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        (out / "index.html").write_text(PLACEHOLDER)
    else:
        with modules.installed(everything=False):
            subprocess.run(["node", modules.WEB / "build.mjs", "page", out], check=True)
    Path(arguments[2]).write_text(table(sorted(out.iterdir())), encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
