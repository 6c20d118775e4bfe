"""What the network decides, made an input: requests for packages become exact sets.

    lowered stages → ground.py (what an install finds below it) → Ask
    Ask → uv.py, or memory.py where it was asked before → distributions
    sources.py asks for the wheel of what says only then what it requires, and asks uv again
    pin.py puts an Install in the place of each request that was answered

A request that cannot be answered soundly stays what it was: the image's own
installer decides when it is built, and the reason is told.
"""
