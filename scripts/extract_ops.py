#!/usr/bin/env python3
"""The guide's operation counts: hands its arguments to `plumbline coverage`."""
import os
import shutil
import sys

built = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build", "plumbline")
program = os.environ.get("PLUMBLINE") or (built if os.path.exists(built) else shutil.which("plumbline"))
if not program:
    print("extract_ops.py: plumbline is not built; run 'make build', or set PLUMBLINE to its path", file=sys.stderr)
    sys.exit(2)
os.execvp(program, [program, "coverage"] + sys.argv[1:])
