"""Makes the C rows of the operator table: operator_table.py operators.txt rows.inc

A row is {spelling, operator, class}; rows are sorted by spelling for bsearch. The format of the table stands
at its head. Duplicate spellings and unknown classes stop the build.
"""

import re
import sys

CLASSES = (
    "compute view assembly cast mask comparison arithmetic power creation counting selecting forbidden metadata"
    " test read random ignored"
).split()
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*\Z")


def read_table(path):
    rows = {}
    current = None
    with open(path, encoding="ascii") as lines:
        for number, line in enumerate(lines, 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            if words[0] == "class":
                current = words[1]
                if len(words) != 2 or current not in CLASSES:
                    sys.exit(f"{path}:{number}: no such class; classes are {', '.join(CLASSES)}")
                continue
            if current is None:
                sys.exit(f"{path}:{number}: an operator before the first class")
            if len(words) > 1 and words[1] == "=":
                entries = [(spelling, words[0]) for spelling in [words[0], *words[2:]]]
            else:
                entries = [(word, word) for word in words]
            for spelling, operator in entries:
                if not NAME.match(spelling):
                    sys.exit(f"{path}:{number}: {spelling} is not a name")
                if spelling in rows:
                    sys.exit(f"{path}:{number}: {spelling} stands in the table twice")
                rows[spelling] = (operator, current)
    return rows


def main(table, output):
    with open(output, "w", encoding="ascii") as rows:
        for spelling, (operator, name) in sorted(read_table(table).items()):
            rows.write(f'{{"{spelling}", "{operator}", OPERATOR_{name.upper()}}},\n')


if __name__ == "__main__":
    main(*sys.argv[1:])
