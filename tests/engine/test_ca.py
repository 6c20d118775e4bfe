"""A CA bundle for the build is in no layer and no key, and what runs in the build trusts it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from uuid import uuid4

from tests.conftest import Cli

BUNDLE = """\
-----BEGIN CERTIFICATE-----
{body}
-----END CERTIFICATE-----
"""


def docker(env: dict[str, str], *words: str) -> str:
    return subprocess.run([env["TEST_DOCKER"], *words], env=env, capture_output=True, text=True, check=True).stdout


def without_bundle(env: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name != "SSL_CERT_FILE"}


def make_bundle(folder: Path, name: str) -> Path:
    """A bundle that is told from all others by its text."""
    path = folder / f"{name}.pem"
    path.write_text(BUNDLE.format(body=name))
    return path


def test_the_same_image_with_and_without(cli: Cli, env: dict[str, str], tmp_path: Path, name: str) -> None:
    (tmp_path / "spec.py").write_text(
        f'from imagebuilder import Image\nimage = Image.debian_slim("3.13").env({{"ID": "{name}"}}).run_commands("true")\n'
    )
    bundle = make_bundle(tmp_path, "first")
    other = make_bundle(tmp_path, "other")
    found = []
    for number, (words, more) in enumerate(
        (
            ((), {}),
            ((), {"SSL_CERT_FILE": str(bundle)}),
            (("--ca", str(other)), {"SSL_CERT_FILE": str(bundle)}),
        )
    ):
        # A home each, so that nothing is reused but the builder's own cache.
        its_env = {**without_bundle(env), **more, "IMAGEBUILDER_HOME": str(tmp_path / f"home-{number}")}
        done = cli("build", "spec.py", "--name", name, "--json", *words, cwd=tmp_path, env=its_env)
        assert done.code == 0, done.err
        found.append(done.json)
        assert cli("hash", "spec.py", cwd=tmp_path, env=its_env).out.strip() == found[0]["key"]
    assert len({snapshot["key"] for snapshot in found}) == 1
    assert len({snapshot["digest"] for snapshot in found}) == 1, (
        "the bundle is in a layer, or in the builder's cache key"
    )
    assert [[step["cached"] for step in snapshot["steps"][1:]] for snapshot in found] == [[False], [True], [True]]
    # The last of the three has the name; whoever cleans up has the empty home.
    docker(env, "rmi", found[0]["image"])


def test_what_a_command_sees_and_what_the_image_keeps(cli: Cli, env: dict[str, str], tmp_path: Path, name: str) -> None:
    """The bundle is a file whose name every program's variable holds, while the command runs."""
    mark = uuid4().hex
    bundle = make_bundle(tmp_path, mark)
    (tmp_path / "spec.py").write_text(
        "from imagebuilder import Image\n"
        f'image = Image.debian_slim("3.13").env({{"ID": "{name}"}}).run_commands(\n'
        f'    \'grep -c {mark} "$SSL_CERT_FILE" "$PIP_CERT" "$REQUESTS_CA_BUNDLE" "$CURL_CA_BUNDLE" "$NODE_EXTRA_CA_CERTS"\',\n'
        ")\n"
    )
    its_env = {**without_bundle(env), "SSL_CERT_FILE": str(bundle)}
    done = cli("build", "spec.py", "--name", name, "--json", cwd=tmp_path, env=its_env)
    assert done.code == 0, done.err
    image = done.json["image"]
    search = f"grep -rl {mark} / --exclude-dir=proc --exclude-dir=sys; env; ls -a /run; true"
    seen = docker(env, "run", "--rm", "--network=none", image, "sh", "-c", search)
    assert f"ID={name}" in seen
    assert mark not in seen and "CERT" not in seen and "imagebuilder" not in seen, seen
    assert str(bundle) not in docker(env, "inspect", image) + docker(env, "history", "--no-trunc", image)


def test_a_network_is_needed_to_need_it(cli: Cli, env: dict[str, str], tmp_path: Path, name: str) -> None:
    (tmp_path / "spec.py").write_text(
        "from imagebuilder import Image\n"
        f'image = Image.debian_slim("3.13").env({{"ID": "{name}"}}).run_commands(\n'
        '    "env | grep -q CERT && exit 1 || true", network="none"\n)\n'
    )
    its_env = {**env, "SSL_CERT_FILE": str(make_bundle(tmp_path, "unused"))}
    done = cli("build", "spec.py", "--name", name, "--json", cwd=tmp_path, env=its_env)
    assert done.code == 0, done.err


def test_pip_installs_through_it(cli: Cli, env: dict[str, str], tmp_path: Path, name: str) -> None:
    """With this machine's own network: where it inspects TLS, only the bundle makes this work."""
    (tmp_path / "spec.py").write_text(
        f'from imagebuilder import Image\nimage = Image.debian_slim("3.13").env({{"ID": "{name}"}}).pip_install("six==1.17.0")\n'
    )
    done = cli("build", "spec.py", "--name", name, "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    code = "import six; print(six.__version__)"
    assert docker(env, "run", "--rm", "--network=none", done.json["image"], "python3", "-c", code) == "1.17.0\n"
