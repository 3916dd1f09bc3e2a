"""A process that writes to a database and says what it has written: `python writer.py FILE PREFIX COUNT`."""

import datetime
import sys
from pathlib import Path

import trio

from offhook.store.records import CallRecord
from offhook.store.sql import open_sqlite

AT = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)


async def main(path: Path, prefix: str, count: int) -> None:
    async with open_sqlite(path) as store:
        for number in range(count):
            sid = f"{prefix}{number}"
            await store.write(
                [
                    CallRecord(
                        sid=sid, account_sid="AC1", direction="inbound", from_="a", to="b", status="", started_at=AT
                    )
                ]
            )
            print(sid, flush=True)


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
