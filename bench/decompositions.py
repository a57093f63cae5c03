"""Whole decompositions: `plumbline check` against what one does without it: a Python process for each file.

    bench/decompositions.py PLUMBLINE PYTHON ROUNDS FOLDER...        medians, one row a decomposition

The baseline runs the self-test of each component (`python FILE`), each step by bench/guide.py, and
verification/composition_test.py if there is one; one after another, and as many at once as there are processors.
It checks neither rules, dimensions, coverage nor flow, and trusts what the files print of themselves.
"""

import concurrent.futures
import os
import statistics
import subprocess
import sys
import time

GUIDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guide.py")
LEVELS = ("level_0_kernel", "level_1_fusion", "level_2_layer", "level_3_model")


def baseline_commands(python, folder):
    """(kind, command) of each process; all are run in the folder of the file."""
    commands = []
    for level in LEVELS:
        path = os.path.join(folder, level)
        for name in sorted(os.listdir(path)) if os.path.isdir(path) else []:
            if name.endswith(".py"):
                commands.append(("component", [python, os.path.join(path, name)]))
    steps = os.path.join(folder, "steps")
    for name in sorted(os.listdir(steps)) if os.path.isdir(steps) else []:
        pair = [os.path.join(steps, name, file) for file in ("original.py", "refactored.py")]
        if all(os.path.isfile(file) for file in pair):
            commands.append(("step", [python, GUIDE] + pair))
    test = os.path.join(folder, "verification", "composition_test.py")
    if os.path.isfile(test):
        commands.append(("composition", [python, test]))
    return commands


def run(command):
    """Whether it ended well."""
    done = subprocess.run(command, cwd=os.path.dirname(command[-1]), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL)
    return done.returncode == 0


def time_baseline(commands, at_once):
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        good = list(pool.map(run, commands))
    return time.monotonic() - start, good


def time_check(plumbline, python, folder, rigor):
    """Seconds and the verdict; None if this plumbline has no such command."""
    start = time.monotonic()
    done = subprocess.run([plumbline, "check", folder, "--rigor", rigor, "--python", python], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)
    if done.returncode == 2 and "there is no command" in done.stdout:
        return None
    return time.monotonic() - start, {0: "PASS", 1: "FAIL"}.get(done.returncode, "ERROR")


def seconds(times):
    return "%.1f s" % statistics.median(times) if times else ""


def measure(plumbline, python, rounds, folder, processors):
    commands = baseline_commands(python, folder)
    counts = [sum(kind == each for kind, _ in commands) for each in ("component", "step", "composition")]
    alone, together, checks, verdicts, bad = [], [], {"standard": [], "fast": []}, {}, []
    for _ in range(rounds):  # the kinds in turn, so that what else the machine does falls on all of them
        taken, good = time_baseline([command for _, command in commands], 1)
        alone.append(taken)
        bad = [command[-1] for (_, command), fine in zip(commands, good) if not fine]
        together.append(time_baseline([command for _, command in commands], processors)[0])
        for rigor in checks:
            found = time_check(plumbline, python, folder, rigor)
            if found is not None:
                checks[rigor].append(found[0])
                verdicts[rigor] = found[1]
    for path in bad:
        print("%s: the baseline's process failed" % path, file=sys.stderr)
    row = [os.path.basename(folder), "%d, %d, %d" % tuple(counts), seconds(alone), seconds(together)]
    for rigor in ("standard", "fast"):
        if not checks[rigor]:
            row += ["not measured", ""]
            continue
        median = statistics.median(checks[rigor])
        row += ["%.1f s, %s" % (median, verdicts[rigor]),
                "%.1f, %.1f" % (statistics.median(alone) / median, statistics.median(together) / median)]
    print("| " + " | ".join(row) + " |", flush=True)


def main():
    plumbline, python, rounds, folders = os.path.abspath(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:]
    python = os.path.abspath(python) if os.sep in python else python
    processors = len(os.sched_getaffinity(0))
    print("| decomposition | components, steps, compositions | a process each, one by one | %d at once "
          "| `check`, standard | times as fast | `check`, fast | times as fast |" % processors)
    print("|" + "---|" * 8, flush=True)
    for folder in folders:
        measure(plumbline, python, rounds, os.path.abspath(folder), processors)


if __name__ == "__main__":
    main()
