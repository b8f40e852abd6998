"""Settings: hyper-parameters that are declared once: name, type, default, range, help and option of the command line.

Whoever needs a hyper-parameter reads the declaration: the constructor checks values by it, the command line makes its
options from it, files and records are read and written by it, and so is the documentation.
"""

from chainrule.errors import SettingError
from chainrule.settings.base import Settings
from chainrule.settings.declaration import NO_VALUE, Setting, setting
from chainrule.settings.registry import Registry
from chainrule.settings.suggestion import suggestion

__all__ = ["NO_VALUE", "Registry", "Setting", "SettingError", "Settings", "setting", "suggestion"]
