from alpine:edge
run apk add --no-cache bash
maintainer Somebody <some@body.example>
shell ["/bin/bash", "-o", "pipefail", "-c"]
onbuild copy . /usr/src/app
onbuild run ["make", "install"]
volume /data /cache
user nobody
cmd echo "hello world" | wc -c
