"""Embeds files in a program: embed.py OUTPUT.c SYMBOL ROOT FILE...

Makes `const EmbeddedFile SYMBOL[]` (src/base/base.h), ended by a row without a name. A file's name is its path
below ROOT. The bytes are followed by a NUL that is not counted.
"""

import os
import sys


def main(output, symbol, root, *paths):
    parts = ['#include "base.h"\n\n', f"extern const EmbeddedFile {symbol}[];\n\n"]
    rows = []
    for index, path in enumerate(paths):
        with open(path, "rb") as file:
            data = file.read()
        numbers = ",".join(str(byte) for byte in data + b"\0")
        parts.append(f"static const uint8_t file_{index}[] = {{{numbers}}};\n")
        name = os.path.relpath(path, root).replace(os.sep, "/").replace("\\", "\\\\").replace('"', '\\"')
        rows.append(f'    {{"{name}", {{file_{index}, {len(data)}}}}},\n')
    parts.append(f"\nconst EmbeddedFile {symbol}[] = {{\n{''.join(rows)}    {{NULL, {{NULL, 0}}}},\n}};\n")
    with open(output, "w", encoding="ascii") as file:
        file.write("".join(parts))


main(*sys.argv[1:])
