"""What keeps a run from ending badly: signals that ask it to stop, and a watchdog for a step that hangs."""

import contextlib
import faulthandler
import signal
from collections.abc import Iterator

STOPPED = 75
"""Exit code of a run that was asked to stop and can go on: EX_TEMPFAIL of sysexits.h."""
DIVERGED = 3
"""Exit code of a run whose updates were not finite, too many in a row."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class Diverged(ValueError):
    """Too many updates in a row were not finite."""


class Stop:
    """Becomes true with the first signal; the second one kills."""

    def __init__(self) -> None:
        self.asked: str | None = None

    def __bool__(self) -> bool:
        return self.asked is not None

    def ask(self, number: int, frame: object) -> None:
        """A handler of signals."""
        self.asked = signal.Signals(number).name
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)


@contextlib.contextmanager
def listening() -> Iterator[Stop]:
    """Signals ask within, and do what they did before behind."""
    stop = Stop()
    before = {each: signal.signal(each, stop.ask) for each in SIGNALS}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


class Watchdog:
    """Dumps every thread's stack and ends the process if it is not fed in time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def feed(self) -> None:
        """All is well for so long again."""
        if self._seconds > 0:
            faulthandler.dump_traceback_later(self._seconds, exit=True)

    def __enter__(self) -> "Watchdog":
        self.feed()
        return self

    def __exit__(self, *_: object) -> None:
        faulthandler.cancel_dump_traceback_later()
