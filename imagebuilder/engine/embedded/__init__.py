"""A Docker Engine of our own, for a machine that has none.

``engine`` starts, stops and reports it; ``rootfs`` makes the file system it runs
in; ``base`` assembles base images from Debian's packages where no registry can
be reached. Nothing here is imported until somebody asks for it.
"""

from __future__ import annotations

CODES: dict[str, str] = {
    "IB510": "the embedded engine needs Linux",
    "IB511": "the embedded engine needs root",
    "IB512": "the embedded engine needs the right to mount",
    "IB513": "the embedded engine is made with apt, which this machine does not have",
    "IB514": "not enough disk space",
    "IB515": "mmdebstrap could not assemble a file system",
    "IB516": "mmdebstrap could not be installed",
    "IB517": "the embedded engine did not come up",
    "IB518": "the embedded engine runs but does not answer",
    "IB519": "the embedded engine could not be stopped",
    "IB520": "a mount of an earlier run cannot be undone",
    "IB521": "no free network for the embedded engine",
    "IB522": "the network of the embedded engine could not be set up",
    "IB530": "not the name of a base image that can be assembled",
    "IB531": "Debian does not carry that Python in that suite",
    "IB532": "an image of that name is there and was not made by `base build`",
    "IB535": "base images are assembled as root on Debian",
}
