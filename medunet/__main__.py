"""`python -m medunet`."""

from medunet.cli import main

if __name__ == "__main__":
    main()
