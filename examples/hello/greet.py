import os
import platform

print(f"{os.environ['GREETING']} (Python {platform.python_version()})")
