"""A Dockerfile that is there already, taken further in Python."""

from imagebuilder import Image

image = Image.from_dockerfile("Dockerfile", build_args={"VERSION": "1.0"}).label(
    {"org.opencontainers.image.version": "1.0"}
)
