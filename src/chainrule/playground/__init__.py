"""Playground: a small network over a plane, trained before one's eyes, on a page; see docs/playground.md."""

from chainrule.playground.folder import write
from chainrule.playground.page import playground_page
from chainrule.playground.presets import PRESETS, Preset
from chainrule.playground.run import Run
from chainrule.playground.service import serve, server
from chainrule.playground.setup import Setup
from chainrule.playground.state import state_of

__all__ = ["PRESETS", "Preset", "Run", "Setup", "playground_page", "serve", "server", "state_of", "write"]
