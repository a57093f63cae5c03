"""Embeds files in a program: embed.py OUTPUT.c SYMBOL ROOT FILE...

A FILE may be a pattern; OUTPUT.c.d then tells the build to look again when something joins its folder. Makes `const EmbeddedFile SYMBOL[]` (src/base/base.h), ended by a row without a name. A file's name is its path
below ROOT. The bytes are followed by a NUL that is not counted.
"""

import glob
import os
import sys


def main(output, symbol, root, *patterns):
    paths = [path for pattern in patterns for path in sorted(glob.glob(pattern)) or [pattern]]
    with open(output + ".d", "w", encoding="utf-8") as file:
        watched = sorted({os.path.dirname(path) or "." for path in paths}) + paths
        file.write(f"{output}: {' '.join(path.replace(' ', chr(92) + ' ') for path in watched)}\n")
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
