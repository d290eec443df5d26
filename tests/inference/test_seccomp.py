"""The filter's program decides as its rules say, on both machines, and calls are what their numbers say."""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import struct

import pytest

from inference.cage.kernel import number_of
from inference.cage.seccomp import assemble
from inference.cage.syscalls import NUMBERS, while_loading, while_serving

ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL, REFUSE, UNKNOWN = 0x7FFF0000, 0x80000000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
THREAD = 0x3D0F00  # what the C library's pthread_create asks of clone
NEWNET = 0x40000000
ME = 4711


def decide(program: bytes, *, number: int, arch: int, arguments: tuple[int, ...] = ()) -> int:
    """Run the program as the kernel would: classic BPF over struct seccomp_data."""
    data = struct.pack("=iIQ6Q", number, arch, 0, *(arguments + (0,) * (6 - len(arguments))))
    code = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    at = held = 0
    while True:
        operation, if_true, if_false, value = code[at]
        at += 1
        if operation == 0x20:
            held = struct.unpack_from("=I", data, value)[0]
        elif operation == 0x54:
            held &= value
        elif operation == 0x15:
            at += if_true if held == value else if_false
        else:
            assert operation == 0x06
            return int(value)


def ask(machine: str, name: str, *arguments: int, loading: bool = False) -> int:
    rules = while_loading(ME) if loading else while_serving(ME)
    number = number_of(name, machine=machine)
    assert number is not None
    program = assemble(rules, machine=machine)
    return decide(program, number=number, arch=ARCH[machine], arguments=arguments)


both = pytest.mark.parametrize("machine", ["x86_64", "aarch64"])


@both
def test_threads_can_be_made_and_processes_cannot(machine: str) -> None:
    assert ask(machine, "clone", THREAD) == ALLOW
    assert ask(machine, "clone", 17) == REFUSE  # fork: SIGCHLD and no flag
    assert ask(machine, "clone", 0x4111) == REFUSE  # vfork
    assert ask(machine, "clone", THREAD | NEWNET) == REFUSE
    assert ask(machine, "clone3") == UNKNOWN
    assert ask(machine, "execve") == REFUSE


@both
def test_memory_is_never_executable_once_the_model_is_there(machine: str) -> None:
    assert ask(machine, "mmap", 0, 4096, 3) == ALLOW
    assert ask(machine, "mmap", 0, 4096, 5) == REFUSE
    assert ask(machine, "mprotect", 0, 4096, 7) == REFUSE
    assert ask(machine, "mmap", 0, 4096, 5, loading=True) == ALLOW


@both
def test_only_a_unix_socket_can_be_made_and_only_before(machine: str) -> None:
    assert ask(machine, "socket", 1, loading=True) == ALLOW
    assert ask(machine, "socket", 2, loading=True) == REFUSE
    assert ask(machine, "socket", 10, loading=True) == REFUSE
    assert ask(machine, "socket", 1) == REFUSE
    assert ask(machine, "openat", loading=True) == ALLOW
    assert ask(machine, "openat") == REFUSE


@both
def test_nothing_reaches_another_process(machine: str) -> None:
    assert ask(machine, "tgkill", ME, 1, 6) == ALLOW  # abort
    assert ask(machine, "tgkill", ME - 1, 1, 9) == REFUSE
    assert ask(machine, "prlimit64", 0) == ALLOW
    assert ask(machine, "prlimit64", ME - 1) == REFUSE
    assert ask(machine, "fcntl", 3, 8) == REFUSE  # F_SETOWN
    assert ask(machine, "prctl", 1) == REFUSE  # PR_SET_PDEATHSIG
    for loading in (False, True):
        for name in ("ptrace", "process_vm_readv", "unshare", "keyctl", "io_uring_setup", "execve"):
            assert ask(machine, name, loading=loading) == REFUSE


@both
def test_calls_that_no_list_names_are_refused(machine: str) -> None:
    program = assemble(while_loading(ME), machine=machine)
    listed = {number_of(name, machine=machine) for name in while_loading(ME)} | {435}
    for number in range(1024):
        if number not in listed:
            assert decide(program, number=number, arch=ARCH[machine]) == REFUSE
    assert decide(program, number=0x40000000, arch=ARCH[machine]) == REFUSE  # x32's read


@both
def test_calls_of_another_machine_end_the_process(machine: str) -> None:
    program = assemble(while_serving(ME), machine=machine)
    assert decide(program, number=0, arch=0x40000003) == KILL  # 32-bit x86


@pytest.mark.parametrize(("machine", "column"), [("x86_64", 0), ("aarch64", 1)])
def test_the_numbers_are_those_of_libseccomp(machine: str, column: int) -> None:
    found = ctypes.util.find_library("seccomp")
    if found is None:
        pytest.skip("libseccomp2 is not installed")
    resolve = ctypes.CDLL(found).seccomp_syscall_resolve_name_arch
    resolve.argtypes = [ctypes.c_uint32, ctypes.c_char_p]
    for name, numbers in NUMBERS.items():
        theirs = resolve(ARCH[machine], name.encode())
        assert numbers[column] == (theirs if theirs >= 0 else None), name
