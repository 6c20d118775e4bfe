"""Build the hello image, keep it as the snapshot `hello`, and let a command answer from inside it."""

import sys

from hello import image

from imagebuilder import Client, CreateSnapshotParams, ImagebuilderError

client = Client()
try:
    print("The Dockerfile:\n")
    print(image.dockerfile())
    snapshot = client.snapshot.create(
        CreateSnapshotParams(name="hello", image=image), replace=True, on_logs=lambda line: print("  |", line)
    )
    answer = client.run("hello", ["python", "/app/greet.py"])
except ImagebuilderError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)

print(f"\n{'Reused' if snapshot.reused else 'Built'} {snapshot.image} in {snapshot.seconds:.1f} s, key {snapshot.key}")
print(f"From inside it: {answer.stdout.strip()}")
