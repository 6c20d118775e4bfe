"""One call of each method."""

from __future__ import annotations

from collections.abc import Callable

from imagebuilder import Image, expand

START = Image.base("python:3.13")

CALLS: dict[str, Callable[[Image], Image]] = {
    "apt_install": lambda image: image.apt_install("git", ["curl=7.88"]),
    "pip_install": lambda image: image.pip_install("six", ["numpy>=2"], index_url="https://host/simple"),
    "pip_install_from_requirements": lambda image: image.pip_install_from_requirements("files/requirements.txt"),
    "pip_install_from_pyproject": lambda image: image.pip_install_from_pyproject("files", "dev"),
    "uv_pip_install": lambda image: image.uv_pip_install("six", requirements="files/requirements.txt"),
    "uv_sync": lambda image: image.uv_sync("files", groups="dev", extras=["web"]),
    "npm_install": lambda image: image.npm_install("left-pad", g=True),
    "add_local_file": lambda image: image.add_local_file("files/requirements.txt", "/x/"),
    "add_local_dir": lambda image: image.add_local_dir("files", "/x", ignore="*.pyc"),
    "add_local_python_source": lambda image: image.add_local_python_source("package"),
    "add_text": lambda image: image.add_text("text", "/x", chmod="0755"),
    "add_url": lambda image: image.add_url("https://host/x", "/x", checksum="sha256:" + "0" * 64),
    "git_clone": lambda image: image.git_clone("https://host/x.git", "/x", ref="v1"),
    "copy_from": lambda image: image.copy_from(Image.base("other"), "/a", "/b"),
    "run_commands": lambda image: image.run_commands("true", ["echo", "a b"], secrets="T", cache="/c", network="none"),
    "dockerfile_commands": lambda image: image.dockerfile_commands("RUN true", ["ENV A=b"]),
    "env": lambda image: image.env({"A": "b"}, C=expand("$A")),
    "workdir": lambda image: image.workdir("/srv"),
    "user": lambda image: image.user("app:app"),
    "shell": lambda image: image.shell(["/bin/bash", "-c"]),
    "entrypoint": lambda image: image.entrypoint(["python"]),
    "cmd": lambda image: image.cmd("text for the shell"),
    "label": lambda image: image.label({"a.b/c": "d"}, e="f"),
    "expose": lambda image: image.expose(80, "53/udp"),
    "volume": lambda image: image.volume("/data"),
    "healthcheck": lambda image: image.healthcheck(["true"], interval="30s", retries=3),
    "stop_signal": lambda image: image.stop_signal("TERM"),
    "arg": lambda image: image.arg("VERSION", "1"),
}
