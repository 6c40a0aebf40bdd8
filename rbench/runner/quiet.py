"""Keep the chatter of other packages off the screen."""

from __future__ import annotations

import logging
import warnings


def quiet_libraries() -> None:
    """Keep other packages' chatter off the user's screen; what matters is a note."""
    warnings.filterwarnings("ignore", category=UserWarning, module=r"torch|timm|accelerate")
    logging.getLogger("timm").setLevel(logging.ERROR)
