"""Makes the C rows of the tables of Python names: python_table.py python.txt rows.inc

A row is {section, name}; rows are sorted for bsearch. The format of the file stands at its head. A name that stands
twice in a section, or outside one, stops the build.
"""

import re
import sys

HEADING = re.compile(r"\[([A-Za-z0-9_.-]+)\]\Z")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*\Z")


def read_table(path):
    rows = set()
    section = None
    with open(path, encoding="ascii") as lines:
        for number, line in enumerate(lines, 1):
            line = line.split("#")[0].strip()
            heading = HEADING.match(line)
            if heading:
                section = heading.group(1)
                continue
            for name in line.split():
                if section is None or not NAME.match(name) or (section, name) in rows:
                    sys.exit(f"{path}:{number}: {name}: outside a section, not a name, or there already")
                rows.add((section, name))
    return sorted(rows)


def main(source, output):
    rows = "".join(f'    {{"{section}", "{name}"}},\n' for section, name in read_table(source))
    with open(output, "w", encoding="ascii") as file:
        file.write(rows)


main(*sys.argv[1:])
