#!/usr/bin/env python3
"""Makes one HTML document of a page and the files it names, and a C++ source that holds it.

  embed.py PAGE.html OUTPUT.cc [DEPFILE]

Each `<link rel="stylesheet" href="FILE">` and `<script src="FILE"></script>` on a line of its own is replaced by the
file's text; scripts that follow each other become one. The Content-Security-Policy allows those texts by their hashes
and nothing else but requests to the page's own server.
"""
import base64
import hashlib
import os
import re
import sys

STYLE = re.compile(r'<link rel="stylesheet" href="([\w./-]+)">')
SCRIPT = re.compile(r'<script src="([\w./-]+)"></script>')


class Page:
    def __init__(self, path):
        self.folder = os.path.dirname(path)
        self.files = [path]
        self.styles, self.scripts = [], []
        self.lines = []
        self.waiting = []  # scripts of which no line is written yet
        for line in self.read(path).splitlines():
            self.take(line)
        self.end_scripts()

    def read(self, path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    def named(self, name):
        path = os.path.join(self.folder, name)
        self.files.append(path)
        return self.read(path)

    def take(self, line):
        if script := SCRIPT.fullmatch(line.strip()):
            self.waiting.append(self.named(script[1]))
            return
        self.end_scripts()
        if style := STYLE.fullmatch(line.strip()):
            self.lines.append("<style>" + self.element(self.named(style[1]), self.styles, "style") + "</style>")
        else:
            self.lines.append(line)

    def end_scripts(self):
        if self.waiting:
            self.lines.append("<script>" + self.element("".join(self.waiting), self.scripts, "script") + "</script>")
            self.waiting = []

    def element(self, text, hashes, tag):
        if f"</{tag}" in text.lower() or "<!--" in text:
            sys.exit(f"embed.py: the text of a <{tag}> contains what would end it")
        digest = hashlib.sha256(text.encode()).digest()
        hashes.append(f"'sha256-{base64.b64encode(digest).decode()}'")
        return text

    def policy(self):
        parts = ["default-src 'none'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]
        if self.styles:
            parts.append("style-src " + " ".join(self.styles))
        if self.scripts:
            parts.append("script-src " + " ".join(self.scripts))
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
