"""The timers of RFC 3261 section 17 (table 4) and RFC 6026, all derived from T1, T2 and T4."""

import attrs


@attrs.frozen
class Timers:
    """T1, T2 and T4 in seconds; every lettered timer follows from them.

    A reliable transport repeats nothing, so what only waits for late copies (D, I, J, K) is zero there.
    """

    t1: float = 0.5
    """Estimate of the round trip."""

    t2: float = 4.0
    """Longest interval between copies of a non-INVITE request or of an INVITE's final response."""

    t4: float = 5.0
    """How long the network may keep a message."""

    @property
    def patience(self) -> float:
        """64*T1: how long anything unanswered is waited for."""
        return 64 * self.t1

    @property
    def a(self) -> float:
        """First interval between copies of an INVITE; doubles without bound (17.1.1.2)."""
        return self.t1

    @property
    def b(self) -> float:
        """An INVITE without any response times out (17.1.1.2)."""
        return self.patience

    @property
    def c(self) -> float:
        """A proxy's patience with a ringing branch, more than three minutes (16.6 step 11)."""
        return 180.0 + self.t1

    def d(self, reliable: bool) -> float:
        """A refused INVITE waits for copies of the final response, at least 32 s (17.1.1.2)."""
        return 0.0 if reliable else max(32.0, self.patience)

    @property
    def e(self) -> float:
        """First interval between copies of a non-INVITE request; doubles to T2 (17.1.2.2)."""
        return self.t1

    @property
    def f(self) -> float:
        """A non-INVITE request without a final response times out (17.1.2.2)."""
        return self.patience

    @property
    def g(self) -> float:
        """First interval between copies of a final response to INVITE; doubles to T2 (17.2.1)."""
        return self.t1

    @property
    def h(self) -> float:
        """A refused INVITE waits this long for its ACK (17.2.1)."""
        return self.patience

    def i(self, reliable: bool) -> float:
        """After the ACK, how long its copies are absorbed (17.2.1)."""
        return 0.0 if reliable else self.t4

    def j(self, reliable: bool) -> float:
        """After a final response, how long copies of a non-INVITE request are answered (17.2.2)."""
        return 0.0 if reliable else self.patience

    def k(self, reliable: bool) -> float:
        """After the final response, how long its copies are absorbed (17.1.2.2)."""
        return 0.0 if reliable else self.t4

    @property
    def l(self) -> float:  # noqa: E743 - the RFC's letter
        """After a 2xx, how long copies of the INVITE are absorbed, over any transport (RFC 6026 section 8.7)."""
        return self.patience

    @property
    def m(self) -> float:
        """After the first 2xx, how long more of them are taken, over any transport (RFC 6026 section 8.4)."""
        return self.patience
