FROM python:3.13-slim-trixie
RUN <<'EOF'
#!/usr/bin/env python3
import sys
print('<<EOF', sys.version)
EOF
