"""Ctrl-C and SIGTERM while a training runs: it stores its state before it ends."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Notes the first Ctrl-C or SIGTERM, so that what is begun can be brought to an end. A second one acts at once.

    Signals that are ignored, as of a process that `nohup` started, stay ignored. Outside the main thread, where Python
    handles no signals, they act as before.

    Attributes:
        number: of the signal; None while there was none.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            handlers = {number: signal.getsignal(number) for number in SIGNALS}
            self._before = {number: each for number, each in handlers.items() if each not in (signal.SIG_IGN, None)}
            for number in self._before:
                signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def end(self) -> None:
        """End as a process that handles these signals does.

        Raises:
            KeyboardInterrupt: after Ctrl-C.
            SystemExit: after SIGTERM, with the exit status that shells give a process that it ended.
        """
        if self.number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.number is not None:
            raise SystemExit(128 + self.number)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.number is not None:
            self.__exit__()
            signal.raise_signal(number)
        self.number = number
