"""What an install puts into an image, laid out here: wheels, as archives that are equal on every machine.

Distribution → wheels.py (fetched) → archive.py (as an installer lays it out) → layers.py (kept) → Layer
oci.py: a base with layers right upon it, as an image that a builder takes as it is
"""
