"""The lock file of a snapshot: what each request for packages was resolved to, and what its images were.

file.py is what it says, and to which requests; form.py its text.
"""

from imagebuilder.resolve.lock.file import LockFile, Open, image_refs
from imagebuilder.resolve.lock.form import read, written

__all__ = ["LockFile", "Open", "image_refs", "read", "written"]
