"""What torch.compile could not do, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rbench.errors import UserError


@contextmanager
def compile_errors() -> Iterator[None]:
    """Turn an error of torch.compile, which compiles at the first call, into a UserError."""
    try:
        yield
    except Exception as error:
        # By name: importing torch's compiler takes seconds, which most runs do not need.
        if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"--torchcompile: torch.compile failed: {first}") from error
