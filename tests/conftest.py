"""What every test starts from."""

from __future__ import annotations

from offhook.server.log import set_up_plainly

# Tracebacks without local variables: rendering those takes seconds, and a test on real sockets would notice.
set_up_plainly()
