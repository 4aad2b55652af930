"""`python -m bridge`: the same as the command `soapbridge`."""

from bridge.cli import main

main()
