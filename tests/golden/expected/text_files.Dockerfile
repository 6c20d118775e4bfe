FROM python:3.13-slim-trixie
COPY <<'EOF' /etc/app.conf
key = 'value $HOME'
	tabbed
EOF
COPY --chmod=0755 <<'EOF' /usr/local/bin/run
#!/bin/sh
echo run
EOF
COPY <<'EOF_2' /ends
EOF
EOF_1
EOF_2
COPY --from=one-line-08eadffb9bd4 files/one-line /etc/one-line
COPY --from=odd-827bc947b9e4 files/odd /etc/odd
