"""docs/mapping.md says what the mapping file is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cdc_archive.audit import mapping
from cdc_archive.audit.functions import Functions
from cdc_archive.audit.mapping_schema import schema
from cdc_archive.decode.logical_types import HINTS

PAGE = (Path(__file__).parents[2] / "docs/mapping.md").read_text()
WHOLE, *PARTS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def test_its_whole_example_is_a_mapping() -> None:
    """As it stands."""
    assert mapping.parse(WHOLE, "docs/mapping.md").types() == ["order.cancelled"]


@pytest.mark.parametrize("part", PARTS)
def test_each_part_fits_into_it(part: str) -> None:
    """Rules, sources, look-ups, types."""
    mapping.parse(WHOLE + part, "docs/mapping.md")


def test_every_key_stands_on_the_page() -> None:
    """Of every section, and what may stand there."""
    sections = schema()["$defs"] | {"Mapping": schema()}
    keys = {name for one in sections.values() for name in one["properties"]}
    prose = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    told = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", prose))))
    assert keys - told == set()
    assert {"lookup", "minus"} <= told & Functions.FUNCTION_TABLE.keys()
    assert set(HINTS) - told == set()
