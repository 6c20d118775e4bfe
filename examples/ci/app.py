"""The image that CI builds: `imagebuilder build examples/ci/app.py --cache REPOSITORY`."""

from imagebuilder import Image

image = (
    Image.debian_slim("3.13")
    # What takes long and seldom changes comes first: other runners get its layer from the registry.
    .run_commands("python -m venv /venv && for n in 1 2 3; do cp -r /venv /packages$n; done")
    .add_local_dir("src", "/app")
    .run_commands("python -m compileall -q /app")
    .user("1000")
    .cmd(["python", "/app/main.py"])
)
