"""Processes of the program without its start: forked from one that has imported everything already.

What happens to a program that runs -- a signal, a reader that goes, a full disk, another process -- does not depend on
torch being imported once more, which takes most of the time of a small run. `Forked` is a `subprocess.Popen` for such
tests; those of starting start the program itself. A server, one for each process of tests, forks a child for each
command line or script; the child becomes a child of the tests' process, so that signals and exit codes are real.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from importlib import import_module
from pathlib import Path

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER: children of a child that ends become ours. Linux alone has it.
HEAVY = ("torch", "transformers.models.bert.modeling_bert", "sentence_transformers", "numba")


class Forked(subprocess.Popen):
    """A process forked from the server: `lexenc` with these words, or Python with `-c` and a script."""

    def _execute_child(self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo, creationflags,
                       shell, p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, *more):  # fmt: skip
        given = {"words": [os.fsdecode(each) for each in args], "cwd": os.fspath(cwd or Path.cwd()),
                 "env": dict(os.environ if env is None else env)}  # fmt: skip
        streams = [own if one == -1 else one for own, one in enumerate((p2cread, c2pwrite, errwrite))]
        link = _server()
        socket.send_fds(link, [json.dumps(given).encode()], streams)
        self.pid = int(link.recv(32))
        self._child_created = True
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)


@functools.cache
def _server() -> socket.socket:
    """Start the server, which ends with this process."""
    ctypes.CDLL(None).prctl(SUBREAPER, 1)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # Threads do not survive a fork.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    words = [sys.executable, __file__, str(theirs.fileno())]
    process = subprocess.Popen(words, pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL)
    theirs.close()
    atexit.register(lambda: (ours.close(), process.wait()))
    return ours


# ---------------------------------------------------------------- in the server


def serve(link: socket.socket, registries: list[object]) -> list[str]:
    """Fork a child for each request. Return in the child, and with what it has to run."""
    while True:
        message, streams, *_ = socket.recv_fds(link, 1 << 20, 3)
        if not message:
            os._exit(0)
        ready, done = os.pipe()
        between = os.fork()
        if not between:
            child = os.fork()
            if not child:
                return _become(json.loads(message), streams, [link.fileno(), ready, done], registries)
            os.write(done, b"%d" % child)
            os._exit(0)
        # After its end the child belongs to the process of the tests.
        os.waitpid(between, 0)
        link.send(os.read(ready, 32))
        for each in (*streams, ready, done):
            os.close(each)


def _become(given: dict, streams: list[int], others: list[int], registries: list[object]) -> list[str]:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for each in (*streams, *others):
        os.close(each)
    os.chdir(given["cwd"])
    os.environ.clear()
    os.environ.update(given["env"])
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        new = open(number, "w" if number else "r", encoding=old.encoding, errors=old.errors, closefd=False)
        setattr(sys, name, new)
    if "PYTHONPATH" in given["env"]:
        sys.path[:0] = given["env"]["PYTHONPATH"].split(os.pathsep)
        for each in registries:
            vars(each).pop("_entries", None)  # other packages may be there
    return given["words"]


def main() -> None:
    """Import everything, serve, and in the child run what is asked for."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)

    from lexenc.registry import Registry
    from lexenc.stages import STAGES

    link = socket.socket(fileno=int(sys.argv[1]))
    for name in HEAVY:
        import_module(name)
    for name in STAGES:
        STAGES[name]  # imports its module
    registries = [each for each in gc.get_objects() if isinstance(each, Registry)]
    gc.collect()
    gc.freeze()
    words = serve(link, registries)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 0
    try:
        _run(words)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    # As at the end of a process, but that no module is taken down, which takes long after so many imports.
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(code)


def _run(words: list[str]) -> None:
    if words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        exec(compile(words[1], "<string>", "exec"), {"__name__": "__main__"})
    else:
        from lexenc_cli.__main__ import main as program

        sys.argv = ["lexenc", *words]
        program()


if __name__ == "__main__":
    main()
