FROM python:3.13-slim-trixie AS build
COPY <<'EOF' /odd/a[1]*.txt
x
EOF
ARG IB_VALUE_40eeec91a38c
COPY <<'EOF' ${IB_VALUE_40eeec91a38c}
y
EOF

FROM python:3.13-slim-trixie
COPY --from=build /odd/a[[]1][*].txt /a
COPY --from=build --link ["\"/odd/with blank\"", "\"/to here/b c\""]
