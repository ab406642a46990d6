"""``python -m guarded_agents.cli``: the command line where no ``guarded-agents`` is installed."""

import sys

from guarded_agents.cli import main

if __name__ == "__main__":
    sys.exit(main())
