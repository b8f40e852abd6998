"""Serve: a model answers over HTTP, in JSON; see docs/serve.md.

This needs the extra: pip install 'chainrule[serve]'.
"""

from chainrule.serve.limits import Limits
from chainrule.serve.server import serve

__all__ = ["Limits", "serve"]
