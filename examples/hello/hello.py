"""The smallest image that does something: `imagebuilder build examples/hello/hello.py`."""

from imagebuilder import Image

image = (
    Image.debian_slim("3.13")
    .env({"GREETING": "Hello from an image that Python described"})
    .add_local_file("greet.py", "/app/greet.py")
    .run_commands("python /app/greet.py")
    .user("nobody")
    .cmd(["python", "/app/greet.py"])
)
