"""For all tests: a slow machine is no failure of a property."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("patient", deadline=None, print_blob=True)
settings.load_profile("patient")
