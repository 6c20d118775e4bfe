"""Pushing an image under a name that somebody asked for, and what is said of it there."""
