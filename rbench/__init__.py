"""rbench: how much of a vision network has to be learned?

This is the public face: what a plugin imports and what Python users call. The names are listed in
the stub ``__init__.pyi`` and loaded when they are first used; importing rbench loads no torch.
"""

from __future__ import annotations

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
