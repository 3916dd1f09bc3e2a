"""Names of methods and statuses, and the phrase each status is sent with."""

from __future__ import annotations

import enum


class Method(enum.StrEnum):
    """The methods offhook knows by name. A message's method is a plain `str`, as peers may send any token."""

    INVITE = "INVITE"
    ACK = "ACK"
    BYE = "BYE"
    CANCEL = "CANCEL"
    OPTIONS = "OPTIONS"
    REGISTER = "REGISTER"
    PRACK = "PRACK"
    UPDATE = "UPDATE"
    INFO = "INFO"
    REFER = "REFER"
    NOTIFY = "NOTIFY"
    SUBSCRIBE = "SUBSCRIBE"
    MESSAGE = "MESSAGE"
    PUBLISH = "PUBLISH"


class Status(enum.IntEnum):
    """Response codes of RFC 3261 section 21 and of the extensions that are named beside them."""

    TRYING = 100
    RINGING = 180
    CALL_IS_BEING_FORWARDED = 181
    QUEUED = 182
    SESSION_PROGRESS = 183
    EARLY_DIALOG_TERMINATED = 199  # RFC 6228
    OK = 200
    ACCEPTED = 202  # RFC 6665
    NO_NOTIFICATION = 204  # RFC 5839
    MULTIPLE_CHOICES = 300
    MOVED_PERMANENTLY = 301
    MOVED_TEMPORARILY = 302
    USE_PROXY = 305
    ALTERNATIVE_SERVICE = 380
    BAD_REQUEST = 400
    UNAUTHORIZED = 401
    PAYMENT_REQUIRED = 402
    FORBIDDEN = 403
    NOT_FOUND = 404
    METHOD_NOT_ALLOWED = 405
    NOT_ACCEPTABLE = 406
    PROXY_AUTHENTICATION_REQUIRED = 407
    REQUEST_TIMEOUT = 408
    GONE = 410
    CONDITIONAL_REQUEST_FAILED = 412  # RFC 3903
    REQUEST_ENTITY_TOO_LARGE = 413
    REQUEST_URI_TOO_LONG = 414
    UNSUPPORTED_MEDIA_TYPE = 415
    UNSUPPORTED_URI_SCHEME = 416
    BAD_EXTENSION = 420
    EXTENSION_REQUIRED = 421
    SESSION_INTERVAL_TOO_SMALL = 422  # RFC 4028
    INTERVAL_TOO_BRIEF = 423
    USE_IDENTITY_HEADER = 428  # RFC 8224
    PROVIDE_REFERRER_IDENTITY = 429  # RFC 3892
    FLOW_FAILED = 430  # RFC 5626
    ANONYMITY_DISALLOWED = 433  # RFC 5079
    FIRST_HOP_LACKS_OUTBOUND_SUPPORT = 439  # RFC 5626
    MAX_BREADTH_EXCEEDED = 440  # RFC 5393
    BAD_INFO_PACKAGE = 469  # RFC 6086
    TEMPORARILY_UNAVAILABLE = 480
    CALL_OR_TRANSACTION_DOES_NOT_EXIST = 481
    LOOP_DETECTED = 482
    TOO_MANY_HOPS = 483
    ADDRESS_INCOMPLETE = 484
    AMBIGUOUS = 485
    BUSY_HERE = 486
    REQUEST_TERMINATED = 487
    NOT_ACCEPTABLE_HERE = 488
    BAD_EVENT = 489  # RFC 6665
    REQUEST_PENDING = 491
    UNDECIPHERABLE = 493
    SECURITY_AGREEMENT_REQUIRED = 494  # RFC 3329
    SERVER_INTERNAL_ERROR = 500
    NOT_IMPLEMENTED = 501
    BAD_GATEWAY = 502
    SERVICE_UNAVAILABLE = 503
    SERVER_TIME_OUT = 504
    VERSION_NOT_SUPPORTED = 505
    MESSAGE_TOO_LARGE = 513
    PRECONDITION_FAILURE = 580  # RFC 3312
    BUSY_EVERYWHERE = 600
    DECLINE = 603
    DOES_NOT_EXIST_ANYWHERE = 604
    NOT_ACCEPTABLE_ANYWHERE = 606
    UNWANTED = 607  # RFC 8197


# Phrases whose spelling does not follow from the name.
_PHRASES = {
    199: "Early Dialog Terminated",
    200: "OK",
    414: "Request-URI Too Long",
    481: "Call/Transaction Does Not Exist",
    504: "Server Time-out",
    606: "Not Acceptable",
}

# RFC 3261 8.1.3.2: an unknown code is treated as the x00 of its class, and so is its phrase.
_CLASS_PHRASES = {
    1: "Session Progress",
    2: "OK",
    3: "Redirection",
    4: "Request Failure",
    5: "Server Failure",
    6: "Global Failure",
}

REASONS: dict[int, str] = {
    status.value: _PHRASES.get(status.value, status.name.replace("_", " ").title().replace("Uri", "URI"))
    for status in Status
}


def reason_phrase(status: int) -> str:
    """The default reason phrase of `status` (100 to 699)."""
    return REASONS.get(status) or _CLASS_PHRASES[status // 100]
