"""The layers between user code and the machine: namespaces, Landlock, resource limits, seccomp.

`apply` says of each layer whether it holds. Refusing to go on is the caller's business.
"""

from __future__ import annotations

import _signal as signal  # its door takes milliseconds to load and adds nothing for us
import ctypes
import errno
import os
import resource

TYPE_CHECKING = False  # typing takes milliseconds to load
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_SET_THP_DISABLE = 1, 22, 38, 41
SECCOMP_MODE_FILTER = 2
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWNET = 0x08000000, 0x10000000, 0x40000000
CAPABILITY_VERSION_3 = 0x20080522
# The same numbers on every architecture that Linux has added since 2019 and on x86-64.
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
LANDLOCK_RULE_PATH_BENEATH, LANDLOCK_ASK_VERSION = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE, IOCTL_DEV = 1, 2, 4, 8, 1 << 14, 1 << 15
# Landlock's ABI -> how many file rights it knows (bits from 0).
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
MOST_OPEN_FILES = 256
OWN_THREADS = "/proc/self/task"  # whose names CUDA's driver writes


class Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"  # what _pack_ means; Python 3.14 wants it said
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


class FilterProgram(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def checked(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, "%s: %s" % (what, os.strerror(code)))
    return result


def prctl(option: int, argument: int, more: Any, what: str) -> None:
    zero = ctypes.c_ulong(0)
    checked(LIBC.prctl(option, ctypes.c_ulong(argument), more, zero, zero), what)


def die_with_parent(parent: int) -> None:
    """Has the kernel kill this process when `parent` dies. Returns only if it lives."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL, ctypes.c_ulong(0), "prctl(PDEATHSIG)")
    if os.getppid() != parent:  # it was quicker
        os._exit(0)


def use_small_pages() -> None:
    """The zygote's heap is in huge pages, so that it can be forked in a third of the time. What a cell asks for is not: the
    memory that a forward uses again and again stays in the cache only if it is cleared a small page at a time. A kernel
    that has no such call has no such pages."""
    zero = ctypes.c_ulong(0)
    LIBC.prctl(PR_SET_THP_DISABLE, ctypes.c_ulong(1), zero, zero, zero)


def apply(settings: Dict[str, Any], seccomp: Optional[int], namespaces: Namespaces) -> Dict[str, str]:
    """Applies what `settings` (docs/protocol.md, "sandbox") asks for. seccomp is the last: it forbids the rest."""
    layers = {}
    parent = os.getppid()
    in_use = address_space()  # /proc can't be read later
    if settings.get("namespaces"):
        layers["namespaces"] = attempt(namespaces.enter)
    die_with_parent(parent)  # forgotten by the kernel when credentials change
    prctl(PR_SET_NO_NEW_PRIVS, 1, ctypes.c_ulong(0), "prctl(NO_NEW_PRIVS)")
    if settings.get("landlock") is not None:
        layers["landlock"] = attempt(restrict_files, settings["landlock"])
    layers["limits"] = attempt(set_limits, settings, in_use)
    if settings.get("seccomp") and seccomp is not None:
        layers["seccomp"] = attempt(filter_calls, seccomp)
    return layers


def attempt(layer: Any, *arguments: Any) -> str:
    try:
        return layer(*arguments)
    except (OSError, ValueError) as cause:
        return "refused: %s" % (cause.strerror if isinstance(cause, OSError) and cause.strerror else cause)


class Namespaces:
    """A user's, a network's and an IPC namespace, which the zygote makes once and its cells enter: to make them takes as
    long as all the rest of the sandbox, and the kernel takes as long again to undo a network."""

    def __init__(self) -> None:
        self.descriptors: List[int] = []
        self.refused: Optional[OSError] = None
        report, told = os.pipe()
        child = os.fork()
        if child == 0:
            self.make_in_child(report, told)
        os.close(told)
        try:
            code = int(os.read(report, 16) or errno.ECHILD)
            if code != 0:
                raise OSError(code, os.strerror(code))
            self.descriptors = [os.open("/proc/%d/ns/%s" % (child, name), os.O_RDONLY | os.O_CLOEXEC)
                                for name in ("user", "net", "ipc")]
        except OSError as cause:
            self.refused = cause
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(report)

    @staticmethod
    def make_in_child(report: int, told: int) -> None:
        """Tells 0 or errno, and waits to be killed."""
        code = 0
        try:
            os.close(report)
            die_with_parent(os.getppid())
            make_namespaces()
        except OSError as cause:
            code = cause.errno or errno.EPERM
        os.write(told, b"%d" % code)
        while True:
            signal.pause()

    def enter(self) -> str:
        if self.refused is not None:
            raise self.refused
        for descriptor in self.descriptors:
            checked(LIBC.setns(descriptor, 0), "setns")
            os.close(descriptor)
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
        checked(LIBC.capset(header, (ctypes.c_uint32 * 6)()), "capset")
        return "on"


def make_namespaces() -> None:
    """No network, no one else's IPC. Ids are mapped to themselves, so that files stay as readable as they were."""
    user, group = os.geteuid(), os.getegid()
    checked(LIBC.unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", "%d %d 1" % (user, user)), ("gid_map", "%d %d 1" % (group, group))):
        write_file("/proc/self/" + name, text.encode())


def write_file(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def restrict_files(paths: List[str]) -> str:
    """Reading and executing below `paths`, and nothing else on any file system."""
    abi = checked(LIBC.syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), LANDLOCK_ASK_VERSION), "landlock")
    rules = Ruleset((1 << FILE_RIGHTS.get(abi, 16)) - 1, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    ruleset = checked(LIBC.syscall(LANDLOCK_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), 0), "landlock")
    try:
        for path in paths:
            allow_path(ruleset, path, rules.files)
        checked(LIBC.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    finally:
        os.close(ruleset)
    return "on, ABI %d" % abi


def allow_path(ruleset: int, path: str, handled: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no rule
    rights = EXECUTE | READ_FILE
    if os.path.isdir(path):
        rights |= READ_DIR
    if path.startswith("/dev/"):  # a device is of use only if it can be written to
        rights |= WRITE_FILE | IOCTL_DEV
    if path == OWN_THREADS:
        rights |= WRITE_FILE | TRUNCATE
    rule = PathBeneath(rights & handled, parent)
    try:
        checked(LIBC.syscall(LANDLOCK_ADD_RULE, ruleset, LANDLOCK_RULE_PATH_BENEATH, ctypes.byref(rule), 0), path)
    finally:
        os.close(parent)


def set_limits(settings: Dict[str, Any], in_use: int) -> str:
    limits = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, MOST_OPEN_FILES)]
    if settings.get("memory"):
        limits.append((resource.RLIMIT_AS, in_use + settings["memory"]))
    if settings.get("cpu_seconds"):
        limits.append((resource.RLIMIT_CPU, settings["cpu_seconds"]))
    if settings.get("file_size"):
        limits.append((resource.RLIMIT_FSIZE, settings["file_size"]))
    for which, value in limits:
        hard = resource.getrlimit(which)[1]
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        resource.setrlimit(which, (value, value))
    return "on"


def address_space() -> int:
    """Bytes of this process's address space."""
    descriptor = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return int(os.read(descriptor, 100).split()[0]) * resource.getpagesize()
    finally:
        os.close(descriptor)


def filter_calls(descriptor: int) -> str:
    """Installs the BPF program that the file holds."""
    program = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    buffer = ctypes.create_string_buffer(program, len(program))
    struct = FilterProgram(len(program) // 8, ctypes.addressof(buffer))
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(struct), "seccomp")
    return "on"
