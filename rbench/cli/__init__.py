"""Arguments in, text out: the only place that prints or exits.

Importing this loads neither torch nor pandas; each command imports what it needs when it runs.
"""

from __future__ import annotations

import sys

from rbench.cli.app import app
from rbench.cli.arguments import spread
from rbench.errors import UserError

INTERRUPTED = 130


def main() -> None:
    """The ``rbench`` command. Exit codes: 0 done, 1 a cell failed, 2 the input was wrong."""
    try:
        words = spread(sys.argv[1:]) or ["--help"]
        code = app(args=words, prog_name="rbench", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except UserError as error:
        print(f"rbench: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("rbench: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output (head, less) has gone; that is no failure.
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        # typer's own complaints about the arguments, in one line like every other.
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        text = " ".join(message().split())
        if text:
            print(f"rbench: {text[0].lower()}{text[1:]}", file=sys.stderr)
        sys.exit(2)


__all__ = ["app", "main"]
