"""Reuse beyond this machine's images."""
