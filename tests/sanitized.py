"""A pytest plugin: the compiled modules below the folder that `COMPILED_UNDER_TEST` names, instead
of the installed ones.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

_folder = Path(os.environ["COMPILED_UNDER_TEST"])
for _file in sorted(_folder.rglob("*.so")):
    _name = ".".join((*_file.parent.relative_to(_folder).parts, _file.name.partition(".")[0]))
    _spec = importlib.util.spec_from_file_location(_name, _file)
    assert _spec is not None
    assert _spec.loader is not None
    sys.modules[_name] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules[_name])
