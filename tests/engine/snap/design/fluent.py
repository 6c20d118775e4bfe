"""What ml.snap says, said fluently."""

from imagebuilder import Image

tools = Image.debian_slim("3.12").add_text("#!/bin/sh\necho tool\n", "/out/bin/tool", chmod="0755")

toolchain = Image.debian_slim("3.12").apt_install("git", "libpq-dev").env({"PYTHONUNBUFFERED": "1"})


def ml(profile: str = "cpu") -> Image:
    image = toolchain.pip_install("numpy>=2", "pandas==2.2.3", secrets=["PIP_TOKEN"])
    image = image.pip_install("torch==2.5.1") if profile == "gpu" else image.pip_install("onnxruntime")
    return (
        image.add_local_dir("./src", "/app/src", ignore=["**/*_test.py"])
        .copy_from(tools, "/out/bin", "/usr/local/bin")
        .run_commands("python -m compileall -q /app/src")
        .workdir("/app")
        .user("app")
        .entrypoint(["python", "-m", "src.main"])
    )


image = ml()
