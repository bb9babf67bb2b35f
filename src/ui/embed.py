#!/usr/bin/env python3
"""Makes one HTML document of a page and the files it names, and a C++ source that holds it.

  embed.py PAGE.html OUTPUT.cc [DEPFILE]

Each `<link rel="stylesheet" href="FILE">` and `<script type="module" src="FILE"></script>` on a line of its own is
replaced by the file's text; those that follow each other become one, so all scripts share one scope. Indentation, empty
lines and lines that are comments are left out: no literal in these files may go over a line's end. The
Content-Security-Policy allows those texts by their hashes and nothing else but requests to the page's own server.
"""
import base64
import hashlib
import os
import re
import sys

STYLE = re.compile(r'<link rel="stylesheet" href="([\w./-]+)">')
SCRIPT = re.compile(r'<script type="module" src="([\w./-]+)"></script>')


def shortened(name, text):
    """The text as it is served; `//` begins a comment in a script, `/*` in a style, on lines of their own."""
    lines = []
    comment = False
    for line in (one.strip() for one in text.splitlines()):
        if name.endswith(".js"):
            if line.count("`") % 2:
                sys.exit(f"embed.py: {name}: a template goes over the end of a line: {line}")
            comment = line.startswith("//")
        elif line.startswith("/*"):
            comment = True
        if line and not comment:
            lines.append(line + "\n")
        if name.endswith(".css") and line.endswith("*/"):
            comment = False
    return "".join(lines)


class Page:
    def __init__(self, path):
        self.folder = os.path.dirname(path)
        self.files = [path]
        self.hashes = {"style": [], "script": []}
        self.lines = []
        self.waiting, self.texts = None, []  # the element that is being gathered, and the files in it
        for line in self.read(path).splitlines():
            self.take(line)

    def read(self, path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    def take(self, line):
        for tag, pattern in (("style", STYLE), ("script", SCRIPT)):
            if named := pattern.fullmatch(line.strip()):
                if self.waiting != tag:
                    self.end()
                path = os.path.join(self.folder, named[1])
                self.files.append(path)
                self.waiting = tag
                self.texts.append(shortened(named[1], self.read(path)))
                return
        self.end()
        self.lines.append(line)

    def end(self):
        """Writes the element that was gathered."""
        tag, text = self.waiting, "".join(self.texts)
        self.waiting, self.texts = None, []
        if tag is None:
            return
        if f"</{tag}" in text.lower() or "<!--" in text:
            sys.exit(f"embed.py: the text of a <{tag}> contains what would end it")
        self.hashes[tag].append(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'")
        self.lines.append(("<style>" if tag == "style" else '<script type="module">') + text + f"</{tag}>")

    def policy(self):
        parts = ["default-src 'none'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]
        parts += [f"{tag}-src {' '.join(hashes)}" for tag, hashes in self.hashes.items() if hashes]
        return "; ".join(parts)


def literal(text):
    """A C++ string literal; pieces, as compilers bound the length of one."""
    pieces = []
    data = text.encode()
    for at in range(0, len(data), 100):
        shown = "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in data[at:at + 100])
        pieces.append(f'    "{shown}"')
    return "\n".join(pieces)


def main():
    page = Page(sys.argv[1])
    document = "\n".join(page.lines) + "\n"
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write('// Made by embed.py.\n#include "ui/page.h"\n\nnamespace wh::ui {\nnamespace {\n\n'
                  f"constexpr std::string_view kPage{{\n{literal(document)},\n    {len(document.encode())}}};\n"
                  f"constexpr std::string_view kPolicy{{\n{literal(page.policy())}}};\n\n}}  // namespace\n\n"
                  "std::string_view page() { return kPage; }\n"
                  "std::string_view content_security_policy() { return kPolicy; }\n\n}  // namespace wh::ui\n")
    if len(sys.argv) > 3:
        with open(sys.argv[3], "w", encoding="utf-8") as out:
            out.write(sys.argv[2] + ": " + " ".join(page.files) + "\n")


if __name__ == "__main__":
    main()
