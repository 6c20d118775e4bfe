"""Packages that a base's own managers install, of which a lock has the versions.

ground.py follows a stage; apt.py and npm.py know what disturbs them, what is asked and what it becomes
ask_apt.sh and ask_npm.sh are run in a base (locking/)
"""
