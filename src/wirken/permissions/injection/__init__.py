"""The look-out for text that tries to steer the model: a hint for a person, which decides nothing.

`words` are the tables; `detector` holds a text against them, in time proportional to it.
"""

from wirken.permissions.injection.detector import flags

__all__ = ["flags"]
