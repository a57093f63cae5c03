"""How long `plumbline step --rigor fast` takes beyond starting Python with torch, cold, and the memory of its largest process.

    bench/proofs.py PLUMBLINE PYTHON ROUNDS FOLDER...        medians, one row a step"""

import json
import resource
import statistics
import subprocess
import sys


def measure(plumbline, python, folder):
    run = subprocess.run([plumbline, "step", "--original", folder + "/original.py", "--refactored", folder + "/refactored.py",
                          "--python", python, "--rigor", "fast", "--format", "json"], stdout=subprocess.PIPE, text=True)
    result = json.loads(run.stdout)
    if result["method"] != "proved":
        sys.exit("%s: %s" % (folder, result.get("fail_reason") or result["proof"]["why_not"]))
    times = result["timings"]
    return times["total"] - times["start_interpreter"], times["total"], result["proof"]["operators"]


def main():
    plumbline, python, rounds, folders = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
    print("| step, at fast | operators | beyond starting torch | whole command | peak so far |\n|---|---|---|---|---|")
    for folder in folders:
        rows = [measure(plumbline, python, folder) for _ in range(rounds)]
        beyond, whole = (statistics.median(row[index] for row in rows) for index in (0, 1))
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print("| %s | %d | %.3f s | %.2f s | %.0f MiB |" % (folder, rows[0][2], beyond, whole, peak), flush=True)


if __name__ == "__main__":
    main()
