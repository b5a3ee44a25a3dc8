"""`python -m ingress.cli` is `tltw`."""

from ingress.cli.main import main

main()
