"""The project's own tools. Each is run as `python3 -m tools.NAME`, which `make` does."""

# An old Python reads this line before any newer syntax: it must say what is wrong in words that it understands.
import sys

if sys.version_info < (3, 11):  # noqa: UP036 # that is the point
    sys.exit("Headgate's tools need Python 3.11 or newer; %s is %d.%d." % ((sys.executable,) + sys.version_info[:2]))  # noqa: UP031, RUF005
