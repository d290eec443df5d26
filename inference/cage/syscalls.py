"""List the system calls that a worker may make: while it loads a model, and afterwards.

What is not listed is refused, so that a call that a future kernel invents is refused, too. The numbers are the kernel's
promise for ever; a test compares them with libseccomp's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# name: (x86-64, arm64), None where there is no such call.
NUMBERS: Mapping[str, tuple[int | None, int | None]] = {
    "accept4": (288, 242),
    "access": (21, None),
    "bind": (49, 200),
    "brk": (12, 214),
    "capset": (126, 91),
    "capget": (125, 90),
    "clock_getres": (229, 114),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "clone": (56, 220),
    "clone3": (435, 435),
    "close": (3, 57),
    "dup": (32, 23),
    "eventfd2": (290, 19),
    "execve": (59, 221),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "fadvise64": (221, 223),
    "fcntl": (72, 25),
    "fstat": (5, 80),
    "futex": (202, 98),
    "get_mempolicy": (239, 236),
    "getcpu": (309, 168),
    "getcwd": (79, 17),
    "getdents64": (217, 61),
    "getegid": (108, 177),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getpid": (39, 172),
    "getppid": (110, 173),
    "getrandom": (318, 278),
    "getrlimit": (97, 163),
    "getrusage": (98, 165),
    "getsockname": (51, 204),
    "getsockopt": (55, 209),
    "gettid": (186, 178),
    "gettimeofday": (96, 169),
    "getuid": (102, 174),
    "io_uring_setup": (425, 425),
    "ioctl": (16, 29),
    "keyctl": (250, 219),
    "landlock_add_rule": (445, 445),
    "landlock_create_ruleset": (444, 444),
    "landlock_restrict_self": (446, 446),
    "listen": (50, 201),
    "lseek": (8, 62),
    "lstat": (6, None),
    "madvise": (28, 233),
    "membarrier": (324, 283),
    "mincore": (27, 232),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "nanosleep": (35, 101),
    "newfstatat": (262, 79),
    "open": (2, None),
    "openat": (257, 56),
    "pipe2": (293, 59),
    "poll": (7, None),
    "ppoll": (271, 73),
    "prctl": (157, 167),
    "pread64": (17, 67),
    "prlimit64": (302, 261),
    "process_vm_readv": (310, 270),
    "pselect6": (270, 72),
    "ptrace": (101, 117),
    "read": (0, 63),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "readv": (19, 65),
    "restart_syscall": (219, 128),
    "rseq": (334, 293),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_getaffinity": (204, 123),
    "sched_yield": (24, 124),
    "seccomp": (317, 277),
    "select": (23, None),
    "set_robust_list": (273, 99),
    "setrlimit": (160, 164),
    "setsockopt": (54, 208),
    "shutdown": (48, 210),
    "sigaltstack": (131, 132),
    "socket": (41, 198),
    "stat": (4, None),
    "statx": (332, 291),
    "sysinfo": (99, 179),
    "tgkill": (234, 131),
    "time": (201, None),
    "times": (100, 153),
    "uname": (63, 160),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "unshare": (272, 97),
    "write": (1, 64),
    "writev": (20, 66),
}


@dataclass(frozen=True, slots=True)
class Only:
    """Allow a call only where this argument (counted from 0), masked, is one of the values. 32 bits are looked at."""

    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFFFFFF


Rules = Mapping[str, Only | None]

_PROT_EXEC = 0x4
_AF_UNIX = 1
# CLONE_VM, CLONE_SIGHAND and CLONE_THREAD, and none of the CLONE_NEW…: a thread of this process, nothing else.
_THREAD = 0x100 | 0x800 | 0x10000
_NEW_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
# F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC. Not F_SETOWN, by which a pipe can send signals.
_FCNTL = (0, 1, 2, 3, 4, 1030)
# FIOCLEX, FIONBIO, TCGETS: what opening a file does.
_IOCTL = (0x5451, 0x5421, 0x5401)
# Ask for death signal, dumpable, seccomp and no_new_privs; name a thread or a mapping.
_PRCTL = (2, 3, 15, 16, 21, 39, 0x53564D41)
_PR_SET_DUMPABLE = 4

# Memory, threads, time, one's own ids, and the pipes that are open already.
_HARMLESS = (
    *("brk", "madvise", "mincore", "mremap", "munmap", "get_mempolicy", "membarrier"),
    *("futex", "rseq", "set_robust_list", "sched_yield", "sched_getaffinity", "getcpu", "exit", "exit_group"),
    *("clock_getres", "clock_gettime", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "times"),
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall"),
    *("getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "capget"),
    *("getrandom", "getrlimit", "getrusage", "uname"),
    *("read", "readv", "write", "writev", "lseek", "fstat", "close", "poll", "ppoll", "select", "pselect6"),
)
# Not sysinfo in the end: it tells the load average, by which OpenMP would take threads away (`inference.governor`).
# Files are opened as far as Landlock lets. The socket is only ever listened at, and has lost its name by then.
_TO_LOAD = (
    *(
        "sysinfo",
        "open",
        "openat",
        "stat",
        "lstat",
        "newfstatat",
        "statx",
        "access",
        "faccessat",
        "faccessat2",
        "readlink",
    ),
    *(
        "readlinkat",
        "getcwd",
        "getdents64",
        "pread64",
        "fadvise64",
        "dup",
        "unlink",
        "unlinkat",
        "eventfd2",
        "pipe2",
    ),
    *(
        "bind",
        "listen",
        "accept4",
        "shutdown",
        "setsockopt",
        "getsockopt",
        "getsockname",
        "seccomp",
        "setrlimit",
    ),
)


def while_serving(pid: int) -> Rules:
    """Return what is allowed once the model is loaded: memory, threads, time, and the pipes that are open already."""
    return {
        **dict.fromkeys(_HARMLESS),
        "clone": Only(0, (_THREAD,), mask=_THREAD | _NEW_NAMESPACES),
        "fcntl": Only(1, _FCNTL),
        "mmap": Only(2, (0,), mask=_PROT_EXEC),
        "mprotect": Only(2, (0,), mask=_PROT_EXEC),
        "prctl": Only(0, _PRCTL),
        "prlimit64": Only(0, (0,)),  # any other pid could be the portal's
        "tgkill": Only(0, (pid,)),
    }


def while_loading(pid: int) -> Rules:
    """Return what is allowed before: in addition to open files, and to make the listener that xllamacpp insists on."""
    return {
        **while_serving(pid),
        **dict.fromkeys(_TO_LOAD),
        "ioctl": Only(1, _IOCTL),
        "mmap": None,
        "mprotect": None,
        "prctl": Only(0, (*_PRCTL, _PR_SET_DUMPABLE)),
        "socket": Only(0, (_AF_UNIX,)),
    }
