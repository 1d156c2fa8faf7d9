"""Every database change kept, exactly once; every lost audit event given back."""

__version__ = "0.1.0"
