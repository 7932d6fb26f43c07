"""The entry of the program: it is ready to be ended before it imports the rest, which takes seconds."""

import sys

from segcli.cli import signals, streams, threads


def main() -> None:
    """Run the program to its end; of the console script and of `python -m segcli`."""
    signals.WATCH.begin()
    streams.begin()
    threads.begin()
    code: int | str | None = 0
    try:
        from segcli.cli import app

        app.main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        if not signals.WATCH.received:
            raise
    if signals.WATCH.received:
        signals.WATCH.leave()
    sys.exit(code)


if __name__ == "__main__":
    main()
