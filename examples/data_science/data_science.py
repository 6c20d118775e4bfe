"""A snapshot with resources, made by a program: `python examples/data_science/data_science.py`."""

from imagebuilder import (
    Client,
    CreateSnapshotParams,
    Image,
    Resources,
)

image = Image.debian_slim("3.12").pip_install("numpy", "pandas").workdir("/home/data")

if __name__ == "__main__":
    client = Client()
    # Create a Snapshot with custom resources
    client.snapshot.create(
        CreateSnapshotParams(
            name="my-snapshot",
            image=image,
            # All resource parameters are optional:
            resources=Resources(
                cpu=2,
                memory=4,
                disk=8,
            ),
        ),
        on_logs=print,
    )
