"""What every test starts from."""

from __future__ import annotations

from hypothesis import settings

from offhook.server.log import set_up_plainly

# Tracebacks without local variables: rendering those takes seconds, and a test on real sockets would notice.
set_up_plainly()

# No example has to be ready within so many milliseconds: how fast a busy machine is says nothing about our code.
settings.register_profile("offhook", deadline=None)
settings.load_profile("offhook")
