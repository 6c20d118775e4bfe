import os
import sys

import idna

if "--check" in sys.argv:
    sys.exit(0)
name = sys.argv[sys.argv.index("--greet") + 1]
print(f"hello {idna.encode(name).decode()}, from version {os.environ['APP_VERSION']}")
