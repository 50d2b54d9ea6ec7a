#!/usr/bin/python3
"""Links: what a page of the tree points to inside the tree exists. Looks at relative links of all tracked
Markdown pages; addresses of other hosts and anchors are left alone."""

import re
import sys

from tree import ROOT, tracked

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def main():
    broken = count = 0
    pages = tracked("*.md")
    for page in pages:
        for target in LINK.findall((ROOT / page).read_text()):
            path = target.split("#")[0]
            if not path or re.match(r"[a-z]+:", target):
                continue
            count += 1
            if not (ROOT / page.parent / path).exists():
                print(f"{page}: {target} does not exist")
                broken += 1
    print(f"{len(pages)} pages, {count} links, {broken} broken")
    sys.exit(1 if broken or not pages else 0)


main()
