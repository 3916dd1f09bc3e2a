"""What a program asks its actor for, and what the actor tells it in return.

`Program.resume` takes one of `Result` and gives one of `Step`:

    Fetch    -> Fetched | FetchFailed
    Perform  -> Performed | Failed
    Finish   -> nothing more
    any      -> HungUp, Redirected, Replaced: they may come while a step is under way; the step is then void
"""

from __future__ import annotations

import enum
from typing import TypeAlias

import attrs

from .answering import Answering, Refusal
from .codes import Level, describe
from .nouns import Method
from .verbs import Verb

Parameters: TypeAlias = tuple[tuple[str, str], ...]
"""Form parameters in order; a name may come more than once."""


@attrs.frozen(kw_only=True)
class Alert:
    """Something the account should know: one entry of its debugger."""

    code: int
    detail: str
    url: str | None = None
    """The document or request that it is about; `None` for an inline document."""
    verb: str | None = None

    @property
    def name(self) -> str:
        return describe(self.code).name

    @property
    def level(self) -> Level:
        return describe(self.code).level


# ---- steps ---------------------------------------------------------------------------------------------------------


class Purpose(enum.Enum):
    """Why a document is fetched."""

    DOCUMENT = "document"
    """Its verbs come next."""
    FALLBACK = "fallback"
    """The same, in place of one that failed: the parameters say which and why."""
    FINAL = "final"
    """The call is over; the application is told how its verb ended, and its answer is not carried out."""


@attrs.frozen(kw_only=True)
class Fetch:
    """Request a document. The parameters of every request (`params.call_parameters`) are the actor's to add."""

    url: str
    method: Method
    parameters: Parameters = ()
    purpose: Purpose = Purpose.DOCUMENT
    not_before: float = 0.0
    """Seconds on the clock that `now` is read from: pacing of documents that lead to one another at once."""
    alerts: tuple[Alert, ...] = ()


@attrs.frozen(kw_only=True)
class Perform:
    """Carry out a verb, whose URLs are absolute."""

    verb: Verb
    answering: Answering
    """What the verb means for a call that is not answered yet."""
    document_url: str | None
    """The document it stands in; `None` when that was given inline."""
    alerts: tuple[Alert, ...] = ()


class Ending(enum.Enum):
    """How a program ended."""

    DOCUMENT_ENDED = "document-ended"
    HANGUP = "hangup"
    REJECTED = "rejected"
    APPLICATION_ERROR = "application-error"
    CALLER_LEFT = "caller-left"


@attrs.frozen(kw_only=True)
class Finish:
    """There is nothing more to do: end the call, if it is not over."""

    how: Ending
    answer_first: bool = False
    """Whether a call that is not answered yet is answered before it is ended."""
    refusal: Refusal | None = None
    """What a call that is not answered is refused with instead; `None` when it is (or is to be) answered."""
    alerts: tuple[Alert, ...] = ()


Step: TypeAlias = Fetch | Perform | Finish


# ---- results -------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Fetched:
    """An answer came, whatever its status."""

    status: int
    content_type: str | None
    """The header's value with its parameters; `None` when there was none."""
    body: bytes
    url: str | None = None
    """Where HTTP redirects led; `None` when there were none. Without the parameters that a GET appends."""


@attrs.frozen(kw_only=True)
class FetchFailed:
    """No answer came; `code` says why (11200 and following)."""

    code: int
    detail: str
    url: str | None = None
    """The URL that failed, where redirects had led away from the one asked for."""


@attrs.frozen(kw_only=True)
class Performed:
    """A verb is done. With `parameters` it asks for its action request; `None` goes on to the next verb."""

    parameters: Parameters | None = None


@attrs.frozen(kw_only=True)
class Failed:
    """A verb could not be carried out, which is an error of the document."""

    code: int
    detail: str
    url: str | None = None
    """What failed, where that is not the document (a file to play)."""


@attrs.frozen(kw_only=True)
class HungUp:
    """The call is over. With `parameters` the running verb still reports to its action URL."""

    parameters: Parameters | None = None


@attrs.frozen(kw_only=True)
class Redirected:
    """Somebody outside has sent the call to another document. The running verb sends no action request."""

    url: str
    method: Method = "POST"
    fallback_url: str | None = None
    """A new fallback from now on; `None` keeps the old one."""
    fallback_method: Method = "POST"


@attrs.frozen(kw_only=True)
class Replaced:
    """The same with a document given inline."""

    document: bytes


Result: TypeAlias = Fetched | FetchFailed | Performed | Failed | HungUp | Redirected | Replaced
