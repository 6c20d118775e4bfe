"""A compiler in one stage, nothing but the program in the other: the image is as large as the program."""

from imagebuilder import Image

compiler = (
    Image.debian_slim("3.13")
    .apt_install("gcc", "libc6-dev")
    .add_local_file("answer.c", "/src/answer.c")
    .run_commands("gcc -O2 -static -o /src/answer /src/answer.c")
)

image = (
    Image.scratch()
    .copy_from(compiler, "/src/answer", "/answer")
    .user("65534:65534")  # an empty image has no names for its users
    .entrypoint(["/answer"])
)
