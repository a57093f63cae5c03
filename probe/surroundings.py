"""What the zygote says of itself: interpreter, torch, devices, and the paths that a cell must be able to read."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing takes milliseconds to load
if TYPE_CHECKING:
    from typing import Any, Dict, List

# What the C library, torch's CPU detection and its threads read at run time.
SYSTEM_PATHS = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/dev/null", "/dev/urandom",
                "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu", "/sys/devices/system/node",
                "/etc/localtime", "/usr/share/zoneinfo")
# What CUDA's driver opens besides: its devices and the names of its threads, for writing; of /proc/self, what each process sees
# as its own.
CUDA_PATHS = ("/dev/nvidia*", "/proc/driver/nvidia", "/proc/devices", "/proc/sys/vm/mmap_min_addr", "/proc/self/maps",
              "/proc/self/status", "/proc/self/task", "/sys/bus/pci", "/sys/devices/pci*", "/sys/devices/system/memory", "/sys/module/nvidia*",
              "/usr/local/cuda*", "/usr/local/nvidia*", "/etc/nvidia*")


def describe() -> Dict[str, Any]:
    torch = sys.modules.get("torch")
    cuda = cuda_devices(torch)
    stdlib = os.path.dirname(os.path.abspath(os.__file__))
    return {"python": "%d.%d.%d" % sys.version_info[:3], "executable": sys.executable or "",
            "prefixes": readable_paths(), "torch": str(torch.__version__) if torch else None,
            "cuda": {"available": bool(cuda), "devices": cuda, "prefixes": cuda_paths() if cuda else []},
            "torch_path": os.path.dirname(os.path.abspath(torch.__file__)) if torch else None,
            "stdlib_path": stdlib, "site_paths": [path for path in sys.path if os.path.isdir(path) and path != stdlib],
            "names": None}


def cuda_devices(torch: Any) -> List[str]:
    """Names from the driver's own files: asking CUDA would start it, and a process that has can't be forked."""
    if torch is None or torch.version.cuda is None:
        return []
    import glob

    names = []
    for path in sorted(glob.glob("/proc/driver/nvidia/gpus/*/information")):
        with open(path) as file:
            fields = dict(line.split(":", 1) for line in file if ":" in line)
        names.append(fields.get("Model", "NVIDIA GPU").strip())
    return names or ["NVIDIA GPU"] * len(glob.glob("/dev/nvidia[0-9]*"))  # a container may show the devices alone


def readable_paths() -> List[str]:
    """Folders and files outside the user's own; a path below another of the list is left out."""
    stdlib = os.path.dirname(os.path.abspath(os.__file__))
    found = set(SYSTEM_PATHS) | {stdlib} | set(path for path in sys.path if os.path.isabs(path))
    found.update(os.path.dirname(path) for path in mapped_libraries())
    for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix):
        if prefix not in ("/usr", "/"):
            found.update((os.path.join(prefix, "lib"), os.path.join(prefix, "lib64"), os.path.join(prefix, "pyvenv.cfg")))
    kept: List[str] = []
    for path in sorted(set(os.path.realpath(path) for path in found)):
        if os.path.exists(path) and path != "/" and not any(path.startswith(other + "/") for other in kept):
            kept.append(path)
    return kept


def cuda_paths() -> List[str]:
    import glob

    return sorted({path for pattern in CUDA_PATHS for path in glob.glob(pattern)} |
                  {os.path.dirname(path) for path in driver_libraries()})


def driver_libraries() -> List[str]:
    """Where the loader would find the driver's, which are not loaded yet: in its cache and in LD_LIBRARY_PATH."""
    folders = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    found = [os.path.join(folder, "libcuda.so.1") for folder in folders if os.path.isabs(folder)]
    try:
        with open("/etc/ld.so.cache", "rb") as file:
            found += [os.fsdecode(name) for name in file.read().split(b"\0") if name.endswith(b"/libcuda.so.1")]
    except OSError:
        pass
    return [path for path in found if os.path.exists(path)]


def mapped_libraries() -> List[str]:
    with open("/proc/self/maps") as file:
        paths = {line.split(None, 5)[5].strip() for line in file if line.count("/") > 0 and len(line.split(None, 5)) == 6}
    return [path for path in paths if path.startswith("/") and ".so" in os.path.basename(path)]
