"""Registries that want a login: which there are, whose an image is, and what a build or pull gets of them.

A password is in none of what the store, a log, a list of processes or a message
shows, and a build or pull is given those of the registries that it names, no
others.
"""

from imagebuilder.registries.login import LoginTest
from imagebuilder.registries.presets import PRESETS, Preset
from imagebuilder.registries.registries import Registries
from imagebuilder.store import Registry

__all__ = ["PRESETS", "LoginTest", "Preset", "Registries", "Registry"]
