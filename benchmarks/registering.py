"""The phones of the registration benchmark: many users register by digest, at a rate, from one UDP socket.

    python -m benchmarks.registering PORT RATE COUNT

Registers USERS users of DOMAIN in turn with 127.0.0.1:PORT, COUNT times in all, RATE a second whatever the server does,
and prints a line of JSON. A registration is a REGISTER without credentials, its challenge (401 or 407), a REGISTER with
credentials and its 200. What is not answered is sent again after 0.5 s, 1 s, 2 s, 4 s (timer E of RFC 3261) and has
failed after 8 s; any other answer is a failure at once. Texts are made beforehand, so that a registration costs this
process three digests and little else.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import select
import socket
import sys
import time
from collections import Counter, deque
from contextlib import suppress

import attrs

HOST = "127.0.0.1"
DOMAIN = "bench.bench.test"
USERS = 2000
RESEND_S = (0.5, 1.0, 2.0, 4.0)
GIVE_UP_S = 8.0
STEP_S = 0.001
"""Shortest wait: what falls due meanwhile leaves together."""
RECEIVE_BYTES = 8_000_000
BRANCH = b";branch=z9hG4bK"
DIGITS = 8
CNONCE = b"0a4f113b"


def username(number: int) -> str:
    return f"user{number}"


def password(number: int) -> str:
    return f"secret-{number}"


def md5(text: bytes) -> str:
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


@attrs.define(eq=False)
class Phone:
    """One user: the parts of its requests that stay the same."""

    number: int
    before_branch: bytes
    before_cseq: bytes
    after_cseq: bytes
    cseq: int = 0
    ha1: str = ""

    @classmethod
    def of(cls, number: int, port: int) -> Phone:
        user = username(number)
        aor = f"<sip:{user}@{DOMAIN}>"
        return cls(
            number,
            f"REGISTER sip:{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP {HOST}:{port};rport{BRANCH.decode()}".encode(),
            (
                f"\r\nMax-Forwards: 70\r\nFrom: {aor};tag=t{number}\r\nTo: {aor}\r\n"
                f"Call-ID: {os.getpid()}-{number}@{HOST}\r\nCSeq: "
            ).encode(),
            (
                f" REGISTER\r\nContact: <sip:{user}@{HOST}:{port}>\r\nUser-Agent: benchmark\r\nExpires: 3600\r\n"
                "Content-Length: 0\r\n"
            ).encode(),
        )

    def request(self, transaction: int, credentials: bytes = b"") -> bytes:
        self.cseq += 1
        return b"%b%0*d%b%d%b%b\r\n" % (
            self.before_branch,
            DIGITS,
            transaction,
            self.before_cseq,
            self.cseq,
            self.after_cseq,
            credentials,
        )

    def credentials(self, challenge: bytes) -> bytes:
        """The header that answers a 401 or 407."""
        realm, nonce = quoted(challenge, b'realm="'), quoted(challenge, b'nonce="')
        user = username(self.number)
        if not self.ha1:
            self.ha1 = md5(b"%b:%b:%b" % (user.encode(), realm, password(self.number).encode()))
        response = md5(b"%b:%b:00000001:%b:auth:%b" % (self.ha1.encode(), nonce, CNONCE, HA2))
        opaque = quoted(challenge, b'opaque="')
        return (
            b'%b: Digest username="%b", realm="%b", nonce="%b", uri="sip:%b", response="%b", algorithm=MD5, '
            b'cnonce="%b", qop=auth, nc=00000001%b\r\n'
        ) % (
            b"Proxy-Authorization" if challenge.startswith(b"SIP/2.0 407") else b"Authorization",
            *(user.encode(), realm, nonce, DOMAIN.encode(), response.encode(), CNONCE),
            b', opaque="%b"' % opaque if opaque else b"",
        )


HA2 = md5(f"REGISTER:sip:{DOMAIN}".encode()).encode()


def quoted(text: bytes, before: bytes) -> bytes:
    """What stands in quotes after `before`; empty when it is missing."""
    _, found, after = text.partition(before)
    return after[: after.index(b'"')] if found else b""


@attrs.define(eq=False)
class Attempt:
    """A registration under way."""

    phone: Phone
    began: float
    data: bytes
    answering: bool = False
    """Credentials have been sent."""
    resent: int = 0


@attrs.define(eq=False)
class Registering:
    """All phones and their registrations."""

    socket: socket.socket
    phones: list[Phone]
    attempts: dict[int, Attempt] = attrs.field(factory=dict)
    """By transaction."""
    timers: tuple[deque[tuple[float, int]], ...] = attrs.field(factory=lambda: tuple(deque() for _ in (*RESEND_S, 0)))
    """When to look at a transaction again, one queue for each number of copies: times are in order in each."""
    transactions: int = 0
    durations: list[float] = attrs.field(factory=list)
    failures: Counter[str] = attrs.field(factory=Counter)
    resent: int = 0
    last: float = 0.0
    """When the last one succeeded."""

    def begin(self, number: int) -> None:
        phone = self.phones[number % len(self.phones)]
        self._send(Attempt(phone, time.perf_counter(), b""))

    def _send(self, attempt: Attempt, credentials: bytes = b"") -> None:
        self.transactions += 1
        attempt.data = attempt.phone.request(self.transactions, credentials)
        attempt.resent = 0
        self.attempts[self.transactions] = attempt
        self.timers[0].append((time.perf_counter() + RESEND_S[0], self.transactions))
        self._out(attempt.data)

    def _out(self, data: bytes) -> None:
        with suppress(BlockingIOError, ConnectionRefusedError):  # it is sent again, as if the network had lost it
            self.socket.send(data)

    def receive(self) -> None:
        """Take all that has come."""
        while True:
            try:
                data = self.socket.recv(4096)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue  # of an earlier send
            at = data.find(BRANCH) + len(BRANCH)
            attempt = self.attempts.pop(int(data[at : at + DIGITS]), None)
            if attempt is None:
                continue  # a second copy
            status = data[8:11]
            if status == b"200":
                self.last = time.perf_counter()
                self.durations.append(self.last - attempt.began)
            elif status in (b"401", b"407") and not attempt.answering:
                attempt.answering = True
                self._send(attempt, attempt.phone.credentials(data))
            else:
                self.failures[status.decode()] += 1

    def resend(self, now: float) -> None:
        """Repeat, or give up, what has not been answered for long enough."""
        for copies, queue in enumerate(self.timers):
            while queue and queue[0][0] <= now:
                _, transaction = queue.popleft()
                attempt = self.attempts.get(transaction)
                if attempt is None:
                    continue
                if copies == len(RESEND_S):
                    del self.attempts[transaction]
                    self.failures["timeout"] += 1
                    continue
                later_s = RESEND_S[copies + 1] if copies + 1 < len(RESEND_S) else GIVE_UP_S - sum(RESEND_S)
                self.timers[copies + 1].append((now + later_s, transaction))
                self.resent += 1
                self._out(attempt.data)

    def run(self, rate: float, count: int) -> dict[str, object]:
        """Register `count` times."""
        start, begun = time.perf_counter(), 0
        while begun < count or self.attempts:
            now = time.perf_counter()
            due = min(count, int((now - start) * rate) + 1)
            while begun < due:
                self.begin(begun)
                begun += 1
            self.resend(now)
            next_s = start + begun / rate - time.perf_counter() if begun < count else 0.01
            select.select([self.socket], [], [], max(next_s, STEP_S))
            self.receive()
        took_s = self.last - start
        self.durations.sort()
        successful = len(self.durations)
        return {
            "successful": successful,
            "failed": count - successful,
            "failures": dict(self.failures),
            "retransmissions": self.resent,
            "rate": round(successful / took_s, 1) if successful else 0.0,
            "p50_ms": round(self.durations[successful // 2] * 1000, 2) if successful else None,
            "p99_ms": round(self.durations[successful * 99 // 100] * 1000, 2) if successful else None,
            "own_cpu_us": round(time.process_time() / count * 1e6, 1),
        }


def main(port: int, rate: float, count: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BYTES)
        sock.bind((HOST, 0))
        sock.connect((HOST, port))
        own = sock.getsockname()[1]
        registering = Registering(sock, [Phone.of(number, own) for number in range(USERS)])
        gc.freeze()
        print(json.dumps(registering.run(rate, count)))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
