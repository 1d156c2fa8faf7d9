"""`python -m cdc_archive` is `cdc-archive`."""

from cdc_archive.cli.main import main

main()
