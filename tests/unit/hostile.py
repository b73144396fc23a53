"""A server on the loopback address that answers as servers should not. Every answer is bounded in bytes and time."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

BODY = bytes(range(256)) * 400
_OK = b"HTTP/1.1 200 OK\r\n"
_END = b"\r\n\r\n"
_LONGEST = 30.0  # seconds
_MOST = 256 << 20  # bytes

Answer = Callable[[str], Iterator[bytes]]
"""Yields what the server sends after a request, which it gets as text."""


def _whole(*headers: bytes, body: bytes = BODY, status: bytes = b"HTTP/1.1 200 OK") -> Answer:
    length = () if any(each.lower().startswith(b"content-length") for each in headers) else (length_of(body),)
    return lambda request: iter([b"\r\n".join([status, *length, *headers]) + _END, body])


def length_of(body: bytes) -> bytes:
    return b"Content-Length: %d" % len(body)


def _raw(*parts: bytes) -> Answer:
    return lambda request: iter(parts)


def _chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n", headers: bytes = b"") -> Answer:
    head = _OK + headers + b"Transfer-Encoding: chunked" + _END
    return _raw(head, *(b"%x\r\n%s\r\n" % (len(each), each) for each in chunks), end)


def _endless(head: bytes, part: bytes) -> Answer:
    return lambda request: itertools.chain([head], itertools.repeat(part))


def _drip(head: bytes, body: bytes, pause: float) -> Answer:
    def answer(request: str) -> Iterator[bytes]:
        yield head
        for number in range(len(body)):
            time.sleep(pause)
            yield body[number : number + 1]

    return answer


def _second(content_range: bytes, *, tag: bytes = b'"1"', status: bytes = b"206 Partial Content") -> Answer:
    """Break off the first answer in the middle, and answer the request for the rest in some way."""
    half = len(BODY) // 2

    def answer(request: str) -> Iterator[bytes]:
        if "Range: bytes=" not in request:
            yield _OK + length_of(BODY) + b'\r\nETag: "1"' + _END + BODY[:half]
            return
        rest = BODY[half:]
        yield b"HTTP/1.1 " + status + b"\r\n" + length_of(rest) + b"\r\nETag: " + tag + b"\r\n" + content_range + _END
        yield rest

    return answer


_HALF, _LAST, _SIZE = len(BODY) // 2, len(BODY) - 1, len(BODY)

WHOLE: dict[str, Answer] = {
    "plain": _whole(),
    "chunked": _chunked(BODY[:1000], BODY[1000:]),
    "tiny chunks": _chunked(*(bytes([each]) for each in BODY)),
    "chunk extensions and trailers": _raw(
        _OK + b"Transfer-Encoding: chunked" + _END + b"%x;a=b\r\n" % _SIZE, BODY, b"\r\n0;x\r\nA: b\r\n\r\n"
    ),
    "chunked with a length as well": _chunked(BODY, headers=b"Content-Length: 3\r\n"),
    "same length twice": _whole(length_of(BODY), length_of(BODY)),
    "continue first": _raw(b"HTTP/1.1 100 Continue\r\n\r\n", _OK + length_of(BODY) + _END, BODY),
    "more than announced": _whole(length_of(BODY), body=BODY + b"more"),
    "junk tag": _whole(b"ETag: \xff\xfe\x01", b"Last-Modified: never"),
    "resumed": _second(b"Content-Range: bytes %d-%d/%d" % (_HALF, _LAST, _SIZE)),
}
"""Answers that end with the whole file."""

PARTIAL: dict[str, Answer] = {
    "junk range": _second(b"Content-Range: bytes junk"),
    "range of another start": _second(b"Content-Range: bytes 0-%d/%d" % (_HALF - 1, _SIZE)),
    "range of another end": _second(b"Content-Range: bytes %d-%d/%d" % (_HALF, _LAST - 1, _SIZE)),
    "range of another size": _second(b"Content-Range: bytes %d-%d/%d" % (_HALF, _LAST + 7, _SIZE + 7)),
    "range of unknown size": _second(b"Content-Range: bytes %d-%d/*" % (_HALF, _LAST)),
    "range of 5000 digits": _second(b"Content-Range: bytes %d-%s/%d" % (_HALF, b"9" * 5000, _SIZE)),
    "negative range": _second(b"Content-Range: bytes -5--1/-9"),
    "no range": _second(b"X: y"),
    "several parts": _second(b"Content-Type: multipart/byteranges; boundary=x"),
    "another version": _second(b"Content-Range: bytes %d-%d/%d" % (_HALF, _LAST, _SIZE), tag=b'"2"'),
    "no such range": _second(b"Content-Range: bytes */3", status=b"416 Range Not Satisfiable"),
}
"""Answers to the request for the rest of a file that do not continue it. The first request is always cut."""

REFUSED: dict[str, Answer] = {
    "nothing": _raw(),
    "not http": _raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "bytes": _raw(bytes(range(256)) * 40),
    "no status": _raw(b"HTTP/1.1\r\n\r\n"),
    "status of letters": _raw(b"HTTP/1.1 abc OK\r\n\r\n"),
    "status of 5000 digits": _raw(b"HTTP/1.1 " + b"2" * 5000 + b" OK\r\n\r\n"),
    "version 9": _raw(b"HTTP/9.9 200 OK\r\n" + length_of(BODY) + _END, BODY),
    "204": _raw(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "203": _whole(status=b"HTTP/1.1 203 Other"),
    "206 without request": _whole(b"Content-Range: bytes 5-9/10", body=b"12345", status=b"HTTP/1.1 206 Partial"),
    "404 with control characters": _raw(b"HTTP/1.1 404 \x1b[31mNo\x07\xff\r\nContent-Length: 0\r\n\r\n"),
    "500": _raw(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"),
    "header line without end": _raw(_OK + b"X: " + b"x" * 200_000),
    "header without colon": _raw(_OK + b"what\r\n" + b"is this\r\n\r\n", BODY),
    "length of letters": _whole(b"Content-Length: many"),
    "length of 5000 digits": _whole(b"Content-Length: " + b"9" * 5000),
    "superscript length": _whole(b"Content-Length: \xb2"),
    "negative length": _whole(b"Content-Length: -5"),
    "signed length": _whole(b"Content-Length: +%d" % _SIZE),
    "two lengths": _whole(length_of(BODY), b"Content-Length: 5"),
    "list of lengths": _whole(b"Content-Length: 5, %d" % _SIZE),
    "no length": _raw(_OK + b"Connection: close" + _END, BODY),
    "http 1.0 without length": _raw(b"HTTP/1.0 200 OK\r\n\r\n", BODY),
    "cut": _whole(length_of(BODY), body=BODY[:5000]),
    "larger than a disk": _whole(b"Content-Length: 999999999999999999"),
    "gzip for transport": _whole(b"Content-Encoding: gzip"),
    "unknown transfer": _whole(b"Transfer-Encoding: gzip, chunked"),
    "cut chunk": _raw(_OK + b"Transfer-Encoding: chunked" + _END + b"%x\r\n" % _SIZE, BODY[:5000]),
    "cut between chunks": _chunked(BODY[:5000], end=b""),
    "cut in the size of a chunk": _chunked(BODY[:5000], end=b"1"),
    "chunk of letters": _chunked(BODY[:5000], end=b"zz\r\n"),
    "negative chunk": _raw(_OK + b"Transfer-Encoding: chunked" + _END + b"-5\r\n", BODY),
    "huge chunk": _raw(_OK + b"Transfer-Encoding: chunked" + _END + b"f" * 40 + b"\r\n", BODY),
    "chunk size without end": _raw(_OK + b"Transfer-Encoding: chunked" + _END, b"1" * 200_000),
    "redirect in a circle": _raw(b"HTTP/1.1 302 Found\r\nLocation: /data.txt\r\nContent-Length: 0\r\n\r\n"),
    "redirect to a file": _raw(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/hostname\r\nContent-Length: 0\r\n\r\n"),
    "redirect elsewhere": _raw(b"HTTP/1.1 302 Found\r\nLocation: http://localhost/x\r\nContent-Length: 0\r\n\r\n"),
    "redirect to no address": _raw(b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n"),
    "redirect to a wrong port": _raw(
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:99999/\r\nContent-Length: 0\r\n\r\n"
    ),
    "redirect to port x": _raw(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:x/\r\nContent-Length: 0\r\n\r\n"),
    "redirect to bytes": _raw(b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe\x00\r\nContent-Length: 0\r\n\r\n"),
    "redirect to a strange host": _raw(
        b"HTTP/1.1 302 Found\r\nLocation: https://" + b"x" * 300 + b"../\r\nContent-Length: 0\r\n\r\n"
    ),
    "redirect nowhere": _raw(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"),
    "redirect with an endless text": _endless(
        b"HTTP/1.1 302 Found\r\nLocation: /data.txt\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"ff\r\n" + b"x" * 255 + b"\r\n",
    ),
    "endless headers": _endless(_OK, b"X: y\r\n"),
    "endless continue": _endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "endless trailer": _endless(_OK + b"Transfer-Encoding: chunked" + _END + b"0\r\n", b"X: y\r\n"),
}  # fmt: skip
"""Answers that no whole file can come from."""

SLOW: dict[str, Answer] = {
    "slow head": _drip(b"", _OK + length_of(BODY) + _END, 0.05),
    "slow continue": _drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 0.01),
    "slow body": _drip(_OK + length_of(BODY) + _END, BODY, 0.05),
    "slow trailer": _drip(_OK + b"Transfer-Encoding: chunked" + _END + b"0\r\n", b"X: y\r\n" * 1000, 0.05),
}
"""Answers that would take very long."""

ENDLESS = _endless(_OK + b"Transfer-Encoding: chunked" + _END, b"%x\r\n%s\r\n" % (1 << 20, bytes(1 << 20)))
"""A file without an end."""


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Serve one answer to every request, one request per connection, and yield the address of its file."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stopped = threading.Event()

        def send(connection: socket.socket) -> None:
            with connection:
                connection.settimeout(_LONGEST)
                try:
                    request = connection.recv(1 << 16).decode("latin-1")
                    end, left = time.monotonic() + _LONGEST, _MOST
                    for part in answer(request):
                        connection.sendall(part)
                        left -= len(part)
                        if stopped.is_set() or left < 0 or time.monotonic() > end:
                            return
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(1)  # until the client has closed, so that no reset overtakes the answer
                except OSError:
                    return

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threads.append(threading.Thread(target=send, args=(connection,), daemon=True))
                threads[-1].start()

        threads = [threading.Thread(target=accept, daemon=True)]
        threads[0].start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/data.txt"
        finally:
            stopped.set()
            listener.shutdown(socket.SHUT_RDWR)
            for thread in list(threads):
                thread.join(timeout=5)
