#!/usr/bin/env python3
"""The guide's own command line: hands its arguments to `plumbline step`."""
import os
import shutil
import sys

built = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build", "plumbline")
program = os.environ.get("PLUMBLINE") or (built if os.path.exists(built) else shutil.which("plumbline"))
if not program:
    print("verify_step.py: plumbline is not built; run 'make build', or set PLUMBLINE to its path", file=sys.stderr)
    sys.exit(2)
os.execvp(program, [program, "step"] + sys.argv[1:])
