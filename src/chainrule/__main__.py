"""`python -m chainrule` is the command line."""

import sys

from chainrule_cli import main

sys.exit(main())
