"""Which transaction a message belongs to (RFC 3261 sections 17.1.3 and 17.2.3)."""

from typing import TypeAlias

from ..message import Request, Response
from ..via import is_unique

ClientKey: TypeAlias = tuple[str, str]
"""Branch of ours, method."""

ServerKey: TypeAlias = tuple[object, ...]
"""Opaque: equal for the copies of a request, and for an INVITE and the ACK of its refusal."""

Key: TypeAlias = tuple[object, ...]
"""Either of them; client keys have two members and server keys more, so one dict may hold both."""


def client_key(response: Response) -> ClientKey | None:
    """The client transaction that a response answers (17.1.3); None when it carries no branch and so cannot be ours."""
    branch = response.via.branch
    return None if branch is None else (branch, response.cseq.method)


def server_key(request: Request, method: str | None = None) -> ServerKey:
    """The server transaction of a request (17.2.3); an ACK has that of its INVITE.

    Branches of RFC 3261 are unique together with the sent-by, which keeps two clients with a poor random source
    apart. A bare cookie is no branch: it would join all requests of such a client, so it is matched by the rules for
    RFC 2543 like a missing one. There an ACK's To tag is that of our response, not of the INVITE, and is left out:
    Call-ID, CSeq and From tag already tell one INVITE from another.
    """
    if method is not None:
        return _server_key(request, method)
    # A message does not change, and is asked for its transaction at each station of its way.
    known: ServerKey | None = request.__dict__.get("server_key")
    if known is None:
        known = request.__dict__["server_key"] = _server_key(request, request.method)
    return known


def _server_key(request: Request, wanted: str) -> ServerKey:
    via = request.via
    if wanted == "ACK":
        wanted = "INVITE"
    branch = via.branch
    if branch is not None and is_unique(branch):
        # 7.3.1: a parameter's value is case-insensitive, and an old proxy may have made use of that.
        return (branch.lower(), wanted, *via.sent_by_key())
    return (
        "",
        wanted,
        request.request_uri,
        request.from_tag,
        request.call_id,
        request.cseq.number,
        branch,
        *via.sent_by_key(),
    )


def cancelled_key(cancel: Request) -> ServerKey:
    """The INVITE server transaction that a CANCEL is about (9.2)."""
    return server_key(cancel, "INVITE")


def merge_key(request: Request) -> tuple[str, str | None, int, str]:
    """Equal for copies of one request that reached us on different ways (8.2.2.2)."""
    cseq = request.cseq
    return (request.call_id, request.from_tag, cseq.number, cseq.method)
