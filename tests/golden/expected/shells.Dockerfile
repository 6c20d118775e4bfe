# check=skip=JSONArgsRecommended

FROM python:3.13-slim-trixie
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN set -o | grep -q 'pipefail.*on'
CMD echo $HOME
ENTRYPOINT ["/bin/sh", "-c", "exec \"$0\" \"$@\""]
