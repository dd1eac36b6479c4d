"""`python -m verigrad`: the command line."""

from .runtime.command import main

main()
