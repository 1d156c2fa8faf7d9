"""A pytest plugin: the compiled lane that `LANE_UNDER_TEST` names, instead of the installed one."""

from __future__ import annotations

import importlib.util
import os
import sys

NAME = "cdc_archive.archive.writer.compiled_lane"
_spec = importlib.util.spec_from_file_location(NAME, os.environ["LANE_UNDER_TEST"])
assert _spec is not None
assert _spec.loader is not None
sys.modules[NAME] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sys.modules[NAME])
