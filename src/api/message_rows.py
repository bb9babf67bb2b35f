#!/usr/bin/env python3
"""Makes the C++ table of message_help.h from docs/messages.md.

  message_rows.py docs/messages.md OUTPUT.cc
"""
import re
import sys

ROW = re.compile(r"^\| ((?:`[^`]*`|[^|`])*) \| ((?:`[^`]*`|[^|`])*) \| ((?:`[^`]*`|[^|`])*) \|$")
PLACEHOLDER = re.compile(r"\b(?:NODE|FILE|DIR|[A-Z])\b")  # as good as `...`


def literal(text):
    return '"' + "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in text.encode()) + '"'


def main():
    rows = []
    with open(sys.argv[1], encoding="utf-8") as document:
        for line in document:
            match = ROW.match(line.rstrip("\n"))
            if not match or match[1] == "message" or not match[1].strip("-"):
                continue
            for message in re.findall(r"`([^`]*)`", match[1]):
                message = re.sub(r"(?:\.\.\.)+", "...", PLACEHOLDER.sub("...", message))
                if not message.startswith("--") and message.strip("."):
                    rows.append((message, match[2], match[3]))
    if not rows:
        sys.exit("message_rows.py: found no row: the document has another form")
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write('// Made by message_rows.py.\n#include "api/message_help.h"\n\nnamespace wh::api {\n\n'
                  "static constexpr MessageRow kRows[] = {\n"
                  + "".join("    {" + ",\n     ".join(map(literal, row)) + "},\n" for row in rows)
                  + "};\n\nstd::span<const MessageRow> message_rows() { return kRows; }\n\n}  // namespace wh::api\n")


if __name__ == "__main__":
    main()
