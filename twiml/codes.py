"""Every error and warning code that an account can be told, with its name and level: one table.

Names are short and our own; the numbers are those that applications know. `describe` never fails: a code that is not
in the table (a newer client of the library, a typo in a test) is described by its family.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

import attrs


class Level(enum.Enum):
    """How bad it is: an error changes what the call does, a warning is about something that was left out."""

    ERROR = "error"
    WARNING = "warning"


@attrs.frozen
class Code:
    """One public code."""

    code: int
    name: str
    level: Level


_LEVELS = {"E": Level.ERROR, "W": Level.WARNING}


def _table(text: str) -> dict[int, Code]:
    """Rows of number, level and name."""
    table: dict[int, Code] = {}
    for line in text.strip().splitlines():
        number, level, name = line.split(None, 2)
        if int(number) in table:
            raise ValueError(f"code {number} is listed twice")
        table[int(number)] = Code(int(number), name, _LEVELS[level])
    return table


CODES: Mapping[int, Code] = _table(
    """
10001 E Account is not active
10002 E Not available to trial accounts
10003 E Incoming call rejected, account is not active
10004 E Too many calls at once
10005 E Voice calls are disabled for this account
11100 E Invalid URL format
11200 E HTTP retrieval failure
11201 E HTTP: TCP connection timed out
11202 E HTTP: TCP connection refused
11203 E HTTP: total time exceeded
11205 E HTTP connection failure
11206 E HTTP protocol violation
11210 E HTTP: host name cannot be resolved
11215 E HTTP: too many redirects
11216 E HTTP: invalid redirect
11217 E HTTP: answered with an error status
11220 E TLS handshake failed
11235 E TLS: certificate is for another host
11236 E TLS: certificate has expired
11237 E TLS: certificate has no path to a trusted authority
11240 E Webhook override: invalid edge
11241 E Webhook override: edge not supported
11242 E Webhook override: private interconnect not allowed
11243 E Webhook override: invalid retry policy
11251 E HTTP: fatal protocol fault
11300 E URL template: invalid format
11310 E URL template: unknown token
11320 E URL template: bracket not closed
11321 E Webhook URL is not valid
11322 E Webhook method is not valid
11750 E TwiML document is too large
11770 W Empty response body
12100 E TwiML document cannot be parsed
12101 E TwiML: version is not known
12102 E TwiML: root element must be Response
12200 W TwiML: schema validation warning
12300 E Content-Type is not supported
12400 E Internal failure
13000 E Dial: Conference cannot be mixed with numbers
13201 E Dial: not allowed inside a dialled segment
13210 W Dial: invalid method
13211 W Dial: invalid ifMachine
13212 W Dial: invalid timeout
13213 W Dial: invalid hangupOnStar
13214 W Dial: invalid callerId
13215 W Dial: invalid nested element
13216 W Dial: invalid timeLimit
13217 W Dial: invalid record
13218 W Dial: invalid sequential
13219 W Dial: invalid answerOnBridge
13220 W Dial: invalid ringTone
13221 W Dial: Number: invalid method
13222 W Dial: Number: invalid sendDigits
13223 W Dial: invalid phone number format
13224 W Dial: number cannot be called
13225 E Dial: destination is blocked
13226 W Dial: invalid country code
13227 E Dial: no permission for this destination
13230 W Dial: Conference: invalid muted
13231 W Dial: Conference: invalid endConferenceOnExit
13232 W Dial: Conference: invalid startConferenceOnEnter
13233 W Dial: Conference: invalid waitUrl
13234 W Dial: Conference: invalid waitMethod
13235 W Dial: Conference: invalid beep
13236 W Dial: Conference: invalid conference SID
13237 W Dial: Conference: invalid name
13238 W Dial: Conference: verb not allowed while waiting
13239 W Dial: Conference: invalid trim
13240 W Dial: Conference: invalid coach
13241 W Dial: Sip: invalid method
13242 W Dial: Sip: invalid sendDigits
13243 W Dial: Sip: invalid SIP URI
13244 W Dial: Sip: not authorised
13245 W Dial: Sip: not in this API version
13246 W Dial: Sip: SIP calls are not enabled
13247 E Dial: invalid From number
13248 W Dial: callerId is too long
13249 W Dial: Sip: invalid username or password
13250 W Dial: too many targets
13251 W Dial: Sip: too many headers
13252 W Dial: Sip: invalid header name
13253 W Dial: Sip: headers are too long
13254 W Dial: Sip: host cannot be resolved or is not public
13255 W Dial: Sip: calls to this domain are not allowed
13256 W Invalid recordingStatusCallback
13257 W Record: invalid transcribeCallback
13258 W Dial: Sim: not available in this region
13310 W Gather: invalid finishOnKey
13311 W Gather: invalid finishOnKey
13312 W Gather: invalid method
13313 W Gather: invalid timeout
13314 W Gather: invalid numDigits
13320 W Gather: invalid nested verb
13321 W Gather: Say: invalid voice
13322 W Gather: Say: invalid loop
13325 W Gather: Play: invalid Content-Type
13326 W Gather: invalid input
13327 W Gather: invalid speechTimeout
13328 W Gather: invalid maxSpeechTime
13329 W Gather: invalid partialResultCallbackMethod
13330 W Gather: invalid hints
13331 W Gather: invalid language
13332 W Gather: invalid bargeIn
13333 W Gather: invalid profanityFilter
13334 W Gather: invalid speechModel
13335 W Gather: speechTimeout auto does not go with speechModel
13337 E Gather: HTTPS is required
13338 W Gather: invalid actionOnEmptyResult
13340 W Gather: speech recognition is degraded
13342 E Gather: recogniser cannot be set up like this
13410 W Play: invalid loop
13420 E Play: invalid Content-Type
13430 W Play: invalid digits
13510 W Say: invalid loop
13511 W Say: invalid voice
13512 W Say: invalid language
13513 W Say: invalid rate
13520 W Say: invalid text
13521 W Say: text is too long
13610 W Record: invalid method
13611 W Record: invalid timeout
13612 W Record: invalid maxLength
13613 W Record: invalid finishOnKey
13614 W Record: invalid transcribe
13615 W Record: maxLength is too long to transcribe
13616 W Record: invalid playBeep
13617 W Record: length is out of range for transcription
13618 W Record: no recording to transcribe
13619 W Record: transcription is not available
13620 W Record: transcription is not available
13621 W Invalid recordingStatusCallbackEvent
13622 W Recording: invalid track
13699 W Recording: invalid trim
13710 W Redirect: invalid method
13750 E Verb is not supported
13801 E Refer: not allowed on a leg that is not SIP
13802 E Dial: REFER received without referUrl
13803 W Sms: not available in this region
13804 W Add-ons are not available in this region
13805 W Trial call is over its ten minutes
13810 W Reject: invalid reason
13910 W Pause: invalid length
14101 W Sms: invalid to
14102 W Sms: invalid from
14103 W Sms: invalid body
14104 W Sms: invalid method
14105 W Sms: invalid statusCallback
14106 W Sms: document limit reached
14107 W Sms: rate limit exceeded
14108 W Sms: from number cannot send messages
14109 W Sms: reply limit exceeded
14110 W Sms: verb not allowed in a reply
14111 W Sms: invalid to number for a trial account
14201 W Enqueue: invalid method
14202 W Enqueue: invalid waitUrl
14203 W Enqueue: invalid action
14204 W Enqueue: queue name is too short
14205 W Enqueue: queue name is too long
14206 W Enqueue: invalid waitUrlMethod
14207 W Enqueue: queue is full
14210 W Dial: Queue: invalid method
14211 W Dial: Queue: invalid url
14212 W Dial: Queue: name is too short
14213 W Dial: Queue: name is too long
14214 W Dial: Queue: not available
14215 W Dial: Queue: invalid reservationSid
14217 W Dial: Queue: invalid reservation
14218 W Dial: Queue: invalid postWorkActivitySid
14219 W Dial: Queue: reservation not available in this region
14220 W Enqueue: invalid workflowSid
14221 W Enqueue: Task: invalid attributes
14222 W Enqueue: task could not be made
14223 W Enqueue: task could not be cleaned up
14226 W Enqueue: workflow not available in this region
14300 E Start or Stop: invalid noun
15000 E Call progress: internal failure
15002 E Call progress: callback waited too long
15003 W Call progress: callback was answered with an error
15004 E Relative URL in an inline document
15009 E Call progress: internal failure, try again
16000 W Conference: coach is not available
16001 W Conference: coach is not bridged
16002 W Conference: invalid attributes
16003 W Conference: not found
16010 W Conference: event could not be delivered
16011 W Conference: event callback was answered with an error
16020 W Conference: full
16021 W Conference: too many conferences at once
16022 W Conference: has ended
16023 W Conference: invalid participantLabel
16024 W Conference: invalid label
16025 W Conference: participantLabel is in use
16026 W Conference: label is in use
16027 W Conference: coached participant is on hold
16028 W Conference: coached participant is not there
16101 W Recording: too short
16102 W Recording: silent
16108 W Recording: another one is running
20001 W Unknown parameters
20003 E Authentication failed
20404 E Not found
20429 E Too many requests
21201 E Call: no To
21205 E Call: invalid Url
21206 E Call: invalid SendDigits
21208 E Call: invalid Timeout
21209 E Call: invalid Method
21210 E Call: From is not verified
21211 E Call: invalid To
21212 E Call: invalid From
21213 E Call: no From
21214 E Call: To cannot be reached
21215 E Call: no permission for this destination
21216 E Call: To is blocked
21217 E Call: number does not seem valid
21218 E Call: invalid ApplicationSid
21219 E Call: To is not verified
21220 E Call: wrong state for this
21221 E Call: SipAuthUsername is too long
21222 E Call: SipAuthUsername has illegal characters
21223 E Call: SipAuthPassword is too long
21224 E Call: SipAuthPassword has illegal characters
21225 E Call: SipAuthPassword is missing
21226 E Call: SIP calls are not enabled
21227 E Call: SIP headers are too long
21228 E Call: illegal characters in a SIP header name
21229 E Call: illegal characters in a SIP header value
21230 E SIP domain: too many
21231 E SIP domain: invalid
21232 E SIP domain: name is taken or parent is not owned
21233 E SIP domain: has subdomains
21235 E Access control list: invalid
21236 E Access control list: still in use
21237 E Access control list: too many addresses
21238 E IP address: invalid
21239 E Credential list: too many
21240 E Credential list: invalid
21241 E Credential list: still in use
21242 E Credential: too many
21243 E Credential: invalid
21255 E Access control list: too many
21262 W Machine detection without a callback
21263 W Machine detection: invalid parameter
22001 E Call waited too long to be made
22005 E Call queue is too long
22221 W Emergency address is not registered
31105 E Client: invalid name
31900 E Stream: unknown failure
31901 E Stream: connection timed out
31902 E Stream: connection refused
31903 E Stream: broken pipe
31904 E Stream: host unreachable
31910 E Stream: TLS failure
31920 E Stream: handshake was not answered with 101
31921 E Stream: closed by the server
31922 E Stream: URL scheme is not wss
31923 E Stream: invalid URL
31924 E Stream: WebSocket protocol error
31930 W Stream: send buffer overflow
31931 W Stream: media was discarded
31940 E Stream: invalid connector
31941 E Stream: invalid track
31942 E Stream: connector is not set up
31950 W Stream: malformed message
31951 W Stream: invalid message
31952 E Stream: extension not found
31953 W Stream: no RTP
31960 E Stream: too many streams
32001 E SIP trunk: too many calls per second
32002 E SIP domain not found
32005 E Voice calls are disabled for this account
32006 W SIP: too many hops
32007 W SIP: too many bindings for this address of record
32008 W SIP: too many registrations per second
32009 W SIP: user is not registered
32010 E SIP trunk: no origination URIs
32011 W SIP: far end cannot be reached
32012 W SIP trunk: parent account has too many calls per second
32013 E SIP: too many new calls per second
32014 W Call ended, no audio was received
32015 W Call ended, longest duration reached
32016 E Carrier did not respond within a minute
32017 E Carrier blocked the caller ID
32018 E Inline TwiML is too long
32019 W Both TwiML and URL are set
32020 E Caller identity verification failed
32021 W Caller identity verification failed
32022 E SIP: ACK was not received
32100 E Trial accounts can call verified numbers only
32101 W SIP: invalid phone number
32102 E SIP: bad SDP
32103 E SIP: empty body
32105 W SIP: invalid Contact header
32106 W SIP: user name and authentication name differ
32110 W SIP: URI is not well formed
32111 W SIP: invalid header name
32112 W SIP: invalid header value
32113 W SIP: header is not allowed
32114 W SIP: parameter value is not supported
32115 W SIP: call reason is too long
32200 E SIP: insufficient permissions
32201 E SIP: source address is not in the access control list
32202 E SIP: wrong credentials
32203 E SIP: call is blocked
32204 E SIP: From number is not verified
32205 E SIP: no permission for this destination
32206 E SIP: From number is not valid
32207 E SIP: secure media is not accepted
32208 E SIP: secure media is required
32209 E SIP: secure transport is required
32210 E SIP: registration is not supported
32212 E SIP: registration has no credential list
32214 W SIP: invalid target of Dial
32215 W SIP: Dial without a region
32216 E SIP: address is on a deny list
32218 E SIP: transfer is not allowed
32219 E SIP: redirect failed
32220 E SIP: no edge may be named for registered endpoints
32221 E SIP: no device is registered at this edge
32222 E SIP: TLS version is not allowed
32223 E SIP: URI has no user part
32301 E Interconnect: invalid
32302 E Interconnect: not found
32303 E Interconnect: only one target may use it
32304 E Interconnect: not active
32400 E Carrier trunk: routing failed
32401 W Carrier trunk: routing failed over
32500 E Conversation: failed
32600 E Virtual agent: failed
32650 W Transcription: invalid attribute
32651 E Transcription: failed
64001 E Pay: failed
64016 E Pay: method must be POST
64101 E ConversationRelay: invalid attribute
64102 E ConversationRelay: cannot connect
64104 E ConversationRelay: longest duration reached
64105 E ConversationRelay: connection ended
64106 E ConversationRelay: provider, language and voice do not go together
64107 W ConversationRelay: invalid message
64108 E ConversationRelay: no RTP
"""
)

_FAMILIES = (
    (11000, 12000, "HTTP failure"),
    (12000, 15000, "TwiML failure"),
    (15000, 16000, "Call progress failure"),
    (16000, 17000, "Conference or recording failure"),
    (20000, 23000, "Request failure"),
    (31900, 32000, "Stream failure"),
    (32000, 32500, "SIP failure"),
)


def describe(code: int) -> Code:
    """The row of `code`; one made from its family when the table has none."""
    row = CODES.get(code)
    if row is not None:
        return row
    name = next((name for low, high, name in _FAMILIES if low <= code < high), "Failure")
    return Code(code, name, Level.ERROR)
