"""Arguments in, text out.

Importing this loads neither torch nor pandas; each command imports what it needs when it runs.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from rbench.cli.app import app
from rbench.cli.arguments import expand_multi_value_flags
from rbench.errors import UserError

INTERRUPTED = 130


def main() -> None:
    """The ``rbench`` command. Exit codes: 0 done, 1 a run failed, 2 the input was wrong."""
    _write_any_text()
    words = expand_multi_value_flags(sys.argv[1:]) or ["--help"]
    try:
        code = app(args=words, prog_name="rbench", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except UserError as error:
        print(f"rbench: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("rbench: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        _close_output()
        sys.exit(0)
    except SystemExit:
        # typer exits with 1 when the reader of our output (head, less) has gone, and wraps the
        # stream; that is not a failure of the command.
        if type(sys.stdout).__name__ == "PacifyFlushWrapper":
            sys.exit(0)
        raise
    except Exception as error:
        from rbench.cli.usage import usage_error

        if isinstance(error, OSError) and error.filename is None and _output_is_full():
            _close_output()
            print(f"rbench: cannot write the output: {error.strerror}", file=sys.stderr)
            sys.exit(1)
        line = usage_error(error)
        if line is None:
            raise
        if line:
            print(f"rbench: {line}", file=sys.stderr)
        sys.exit(2)


def _write_any_text() -> None:
    """What a terminal's encoding lacks is escaped, instead of an error after a long run."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _output_is_full() -> bool:
    """Whether it is standard output that cannot be written, such as to a full disk."""
    try:
        sys.stdout.write("")
        sys.stdout.flush()
    except OSError:
        return True
    return False


def _close_output() -> None:
    """Send what Python still holds for standard output to nowhere."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


__all__ = ["app", "main"]
