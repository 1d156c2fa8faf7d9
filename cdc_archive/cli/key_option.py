"""A row's key on the command line."""

from __future__ import annotations

from collections.abc import Sequence

import click

from cdc_archive.history.asked_key import AskedKey


def asked_key(given: Sequence[str], option: str) -> AskedKey:
    """The key that an option's values mean, taken together.

    Raises:
        BadParameter: they are no key.
    """
    try:
        return AskedKey(given)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None
