# syntax=docker/dockerfile:1.10
FROM python:3.12
RUN --mount=type=secret,id=pip,target=/etc/pip.conf,required=true \
    --mount=type=secret,id=TOKEN,env=TOKEN \
    --mount=type=ssh,id=default,required \
    --mount=type=tmpfs,target=/scratch,size=64m \
    --mount=type=cache,id=pip,target=/root/.cache/pip,uid=0,gid=0,mode=0755,sharing=private \
    --network=host pip install private
RUN --network=none --security=sandbox true
RUN --mount=type=bind,from=alpine:3.19,source=/etc,target=/alpine-etc,rw ls /alpine-etc
