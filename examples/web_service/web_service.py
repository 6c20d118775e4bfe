"""A web service as it should run: a user of its own, a health check, an explicit port and stop signal."""

from imagebuilder import Image

image = (
    Image.debian_slim("3.13")
    .run_commands("useradd --system --uid 10001 --no-create-home web")
    .add_local_dir("site", "/srv/site", ignore=["**/*.draft.html"])
    .add_local_file("serve.py", "/srv/serve.py")
    .env({"PORT": "8080", "PYTHONUNBUFFERED": "1"})
    .expose(8080)
    .user("web")
    .workdir("/srv")
    .healthcheck(
        ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/', timeout=2)"],
        interval="2s",
        timeout="3s",
        start_period="1s",
        retries=3,
    )
    .stop_signal("SIGINT")
    .cmd(["python", "serve.py"])
)
