"""``python -m rbench``, which launchers such as torchrun need."""

import os
import sys
from pathlib import Path

if __name__ == "__main__" and not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:
    # Unlike the rbench command, -m puts the working directory on the path, where a folder named
    # timm would replace the installed one. A checkout that is not installed needs it, though.
    installed = Path(__file__).parents[1] != Path.cwd()
    sys.path[:1] = [] if installed else sys.path[:1]

from rbench.cli import main

if __name__ == "__main__":
    main()
