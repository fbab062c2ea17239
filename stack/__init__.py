"""Everything on one machine without Docker: ``python -m stack``."""
