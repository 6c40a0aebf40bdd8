"""``python -m rbench``, which launchers such as torchrun need."""

from rbench.cli import main

if __name__ == "__main__":
    main()
