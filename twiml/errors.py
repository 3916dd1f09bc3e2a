"""What can be wrong with a TwiML document or with what it asks for; each error knows its public code."""

from __future__ import annotations


class TwimlError(Exception):
    """Something a TwiML application did wrong; `code` is what the account is told (see `codes`)."""

    code = 12400

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class DocumentError(TwimlError):
    """A document that cannot be run at all. `line` and `column` count from 1; 0 means the document as a whole."""

    code = 12100

    def __init__(self, message: str, *, code: int | None = None, line: int = 0, column: int = 0) -> None:
        super().__init__(message, code=code)
        self.line, self.column = line, column


class NotWellFormed(DocumentError):
    """The bytes are not an XML document, or use a part of XML that is refused (document types, entities)."""


class WrongVersion(DocumentError):
    """`Response` names a version of the language that does not exist."""

    code = 12101


class WrongRoot(DocumentError):
    """The root element is not `Response`."""

    code = 12102


class TooLarge(DocumentError):
    """The document is over its size bound."""

    code = 11750


class BadUrl(TwimlError):
    """A URL cannot be used: not a URL, not of a scheme we fetch, or relative where there is no base."""

    code = 11100


class BadNumber(TwimlError):
    """Text that should be a telephone number is none."""

    code = 13223


class CannotExecute(TwimlError):
    """A verb that is understood but not carried out by this server."""

    code = 13750
