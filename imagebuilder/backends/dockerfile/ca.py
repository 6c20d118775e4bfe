"""A CA bundle for the build alone, for networks that inspect TLS.

Every RUN with a network gets the same optional secret mounts, whether or not
there is a bundle: BuildKit then caches both alike, and no layer differs. One
secret is the bundle; the others are its path, each as the variable that one
family of programs reads.
"""

from __future__ import annotations

SECRET = "imagebuilder-ca"  # noqa: S105 - the name of a secret
PATH_SECRET = "imagebuilder-ca-path"  # noqa: S105 - the name of a secret
PATH = "/run/imagebuilder-ca.crt"
_VARIABLES = (
    "SSL_CERT_FILE",  # OpenSSL: Python, curl, uv, Ruby; Go
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
)
FLAGS = (
    # Certificates are no secret, and a step's user may be another than root.
    f"--mount=type=secret,id={SECRET},target={PATH},mode=0444,required=false",
    *(f"--mount=type=secret,id={PATH_SECRET},env={name},required=false" for name in _VARIABLES),
)
