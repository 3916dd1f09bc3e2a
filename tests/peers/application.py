"""A customer's web application in a process of its own, for load: it answers, judges signatures and counts.

    python -m tests.peers.application SCRIPT.json

The script names the port, the account's token, the documents by path (`CALLED` in them is the user who was called) and
the files by path. `GET /report` tells what
has been asked so far; `GET /forget` does so and begins anew.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from offhook.testing.web import NOT_FOUND, Answer, Asked, CustomerApp
from offhook.transport.trio_network import TrioNetwork

from .fetch import Unanswered, get
from .programs import free_port, running, until, write_files
from .sdk import accepts

ROOT = Path(__file__).resolve().parents[2]


@attrs.frozen
class Report:
    """What the application has been asked."""

    requests: dict[str, int]
    """Requests by path."""
    calls: dict[str, int]
    """Distinct calls by path."""
    told: dict[str, int]
    """Requests by path and CallStatus: `/status completed`."""
    repeated: int
    """Requests that told what had been told: same path, call and CallStatus."""
    forged: int
    """Requests whose signature the official SDK does not accept."""


@attrs.define(eq=False)
class Counting:
    """Answers and counts; keeps no request."""

    app: CustomerApp
    token: str
    documents: Mapping[str, str]
    files: Mapping[str, Path]
    asked: Counter[tuple[str, str, str]] = attrs.field(factory=Counter)
    """By path, call and CallStatus."""
    forged: int = 0

    def __call__(self, asked: Asked) -> Answer:
        self.app.requests.clear()
        if asked.path in ("/report", "/forget"):
            answer = Answer(json.dumps(attrs.asdict(self.report())).encode(), content_type="application/json")
            if asked.path == "/forget":
                self.asked.clear()
                self.forged = 0
            return answer
        self.forged += not accepts(asked, self.token)
        self.asked[asked.path, asked.params.get("CallSid", ""), asked.params.get("CallStatus", "")] += 1
        if asked.path in self.files:
            return Answer(self.files[asked.path].read_bytes(), content_type="audio/wav")
        if asked.path in self.documents:
            called = asked.params.get("To", "").removeprefix("sip:").partition("@")[0]
            return Answer(self.documents[asked.path].replace("CALLED", called).encode())
        return NOT_FOUND

    def report(self) -> Report:
        requests, told = Counter[str](), Counter[str]()
        for (path, _, status), count in self.asked.items():
            requests[path] += count
            told[f"{path} {status}"] += count
        calls = Counter(path for path, _ in {(path, call) for path, call, _ in self.asked})
        repeated = self.asked.total() - len(self.asked)
        return Report(dict(requests), dict(calls), dict(told), repeated, self.forged)


async def serve(script: Mapping[str, object]) -> None:
    app = CustomerApp()
    documents, files = script["documents"], script["files"]
    assert isinstance(documents, dict)
    assert isinstance(files, dict)
    counting = Counting(app, str(script["token"]), documents, {path: Path(file) for path, file in files.items()})
    app.on("*", counting)
    port = script["port"]
    assert isinstance(port, int)
    async with app.serving(TrioNetwork(), ("127.0.0.1", port)):
        await trio.sleep_forever()


@attrs.define(eq=False)
class Application:
    """The application as seen from the test."""

    base: str
    """`http://127.0.0.1:PORT`"""

    async def report(self, *, forget: bool = False) -> Report:
        page = await get(f"{self.base}/{'forget' if forget else 'report'}")
        return Report(**json.loads(page.body))

    async def up(self) -> bool:
        try:
            return (await get(f"{self.base}/report")).status == 200
        except Unanswered:
            return False


@asynccontextmanager
async def open_application(
    folder: Path, token: str, documents: Mapping[str, str], files: Mapping[str, Path] | None = None
) -> AsyncIterator[Application]:
    """Serve `documents` (path to TwiML, `BASE` standing for the application's address) while the block runs."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    script = {
        "port": port,
        "token": token,
        "documents": {path: text.replace("BASE", base) for path, text in documents.items()},
        "files": {path: str(file) for path, file in (files or {}).items()},
    }
    write_files(folder, {"application.json": json.dumps(script)})
    command = [sys.executable, "-m", "tests.peers.application", str(folder / "application.json")]
    async with running(command, folder / "application.log", folder=ROOT) as process:
        application = Application(base)
        await until(application.up, 20, "the application answers", process)
        yield application


if __name__ == "__main__":
    trio.run(serve, json.loads(Path(sys.argv[1]).read_text()))
