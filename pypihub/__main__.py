"""``python -m pypihub`` is the ``pypihub`` command."""

from pypihub.cli import main

if __name__ == "__main__":
    main()
