"""The project copied before its packages are installed: when an edit installs them again, and when it does not."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.diagnostics import Span
from imagebuilder.lint import order
from imagebuilder.lint.installs import installs
from tests.unit.lint.linting import dockerfile, only

BEFORE = {
    "pip": ("COPY . .\nRUN pip install --no-cache-dir -r requirements.txt", "COPY requirements.txt ./"),
    "python -m pip": ("COPY . /app\nWORKDIR /app\nRUN python3 -m pip install -r requirements.txt", "COPY requirements"),
    "pip elsewhere": ("COPY . /app\nRUN pip install -r /app/requirements/base.txt", "COPY base.txt ./"),
    "pip of names": ("WORKDIR /app\nCOPY . .\nRUN pip install flask gunicorn==21.2", "above it: pip install flask"),
    "pip of a name with -r": (
        "WORKDIR /app\nCOPY . .\nRUN pip install python-rapidjson",
        "above it: pip install python-",
    ),
    "uv pip": ("COPY . .\nRUN uv pip install --system -r requirements.txt", "COPY requirements.txt ./"),
    "npm ci": ("WORKDIR /app\nCOPY . .\nRUN npm ci && npm run build", "COPY package.json package-lock.json ./\n"),
    "npm install": ("WORKDIR /app\nCOPY . /app\nRUN npm install --production", "RUN npm install --production"),
    "variable": ("ENV APP=/app\nWORKDIR $APP\nCOPY . $APP\nRUN npm ci", "COPY . $APP"),
    "cd": ("COPY . /app\nRUN cd /app && npm ci", "npm ci"),
    "relative cd": ("COPY . app\nRUN cd app; npm ci", "npm ci"),
    "yarn": ("COPY . .\nRUN yarn", "yarn.lock"),
    "yarn install": ("COPY . .\nRUN yarn install --frozen-lockfile", "yarn.lock"),
    "pnpm": ("COPY . .\nRUN corepack enable && pnpm i --frozen-lockfile", "pnpm-lock.yaml"),
    "poetry": (
        "COPY . .\nRUN pip install poetry==1.8 && poetry install --no-root",
        "COPY pyproject.toml poetry.lock ./",
    ),
    "a newer pip first": (
        "COPY . .\nRUN pip install -U pip && pip install -r requirements.txt",
        "COPY requirements.txt ./",
    ),
    "a newer pip before": (
        "COPY . .\nRUN pip install -U pip\nRUN pip install -r requirements.txt",
        "requirements.txt ./",
    ),
    "bundle": ("COPY . .\nRUN bundle install", "COPY Gemfile Gemfile.lock ./"),
    "composer": ("COPY . .\nRUN composer install --no-dev", "composer.lock"),
    "go": ("COPY . .\nRUN go mod download && go build", "COPY go.mod go.sum ./\nRUN go mod download\nCOPY . ."),
    "uv sync": ("ADD . /app\nWORKDIR /app\nRUN uv sync --frozen", "uv.lock"),
    "apt-get": (
        "COPY . /src\nRUN apt-get update && apt-get install -y --no-install-recommends git curl",
        "apt-get install",
    ),
    "apk": ("COPY . /src\nRUN apk add --no-cache git", "apk add"),
    "words": ('COPY . .\nRUN ["npm", "ci"]', "npm ci"),
    "document": ("COPY . .\nRUN <<EOF\nset -e\nnpm ci\nEOF", "npm ci"),
    "list copied too": ("COPY package.json .\nCOPY . .\nRUN npm ci", "npm ci"),
}
NOT_BEFORE = {
    "right order": "COPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY . .",
    "project afterwards": "COPY pyproject.toml uv.lock ./\nRUN uv sync --no-install-project\nCOPY . .\nRUN uv sync",
    "mounted": "RUN --mount=type=bind,source=package.json,target=package.json npm ci\nCOPY . .\nRUN npm ci --offline",
    "the project itself": "COPY . .\nRUN pip install .",
    "editable": "COPY . .\nRUN pip install -e . -r requirements.txt",
    "extras of the project": "COPY . .\nRUN pip install '.[dev]'",
    "a wheel": "COPY . .\nRUN pip install --no-deps dist/*.whl",
    "a package of the project": "COPY . .\nRUN apt-get update && apt-get install -y ./tool.deb",
    "a list in a variable": "COPY . .\nRUN apt-get install -y $(cat packages.txt)",
    "only some files": "COPY src config.toml /app/\nRUN npm ci",
    "a folder elsewhere": "COPY src /app/src\nWORKDIR /app\nRUN npm ci",
    "a list from elsewhere": "COPY . /src\nRUN pip install -r /other/requirements.txt",
    "from a stage": "COPY --from=alpine:3 / /app\nWORKDIR /app\nRUN npm ci",
    "global tools later": "COPY . .\nRUN npm install -g serve",
    "a build": "COPY . .\nRUN cargo build --release && go build ./... && make install && npm run build",
    "yarn of a script": "COPY . .\nRUN yarn build && yarn run lint",
    "a mention": "COPY . .\nRUN echo 'run npm ci' && grep 'pip install -r requirements.txt' README.md",
    "a comment": "COPY . .\nRUN true # npm ci",
    "another directory's": "COPY . /app\nRUN npm ci --prefix /opt/tool",
    "an ONBUILD": "ONBUILD COPY . .\nONBUILD RUN npm ci",
}


@pytest.mark.parametrize(("body", "help"), BEFORE.values(), ids=BEFORE)
def test_in_a_dockerfile(tmp_path: Path, body: str, help: str) -> None:
    (warning,) = only(dockerfile(tmp_path, f"FROM x:1\n{body}\n"), "IB904")
    assert isinstance(warning.place, Span)
    line = f"FROM x:1\n{body}".split("\n")[warning.place.line - 1]
    assert line.startswith(("COPY . ", "ADD . ")) and help in warning.help
    assert warning.message == "the whole project is copied before packages are installed"
    assert warning.notes[0].place is not None


@pytest.mark.parametrize("body", NOT_BEFORE.values(), ids=NOT_BEFORE)
def test_not_in_a_dockerfile(tmp_path: Path, body: str) -> None:
    assert only(dockerfile(tmp_path, f"FROM x:1\n{body}\n"), "IB904") == []


def test_a_folder_that_holds_the_list(tmp_path: Path) -> None:
    text = "FROM x:1\nCOPY web /web\nWORKDIR /web\nRUN npm ci\n"
    (tmp_path / "web").mkdir()
    assert only(dockerfile(tmp_path, text), "IB904") == []
    (tmp_path / "web/package.json").touch()
    (warning,) = only(dockerfile(tmp_path, text), "IB904")
    assert warning.message == "'web' is copied before packages are installed"


@pytest.mark.parametrize("ignored", ["*\n!package.json\n", "**\n!src/**\n"])
def test_what_a_dockerignore_chooses(tmp_path: Path, ignored: str) -> None:
    path = dockerfile(tmp_path, "FROM x:1\nCOPY . .\nRUN npm ci\n")
    (tmp_path / ".dockerignore").write_text("node_modules\n")
    assert len(only(path, "IB904")) == 1
    (tmp_path / ".dockerignore").write_text(ignored)
    assert only(path, "IB904") == []


def test_stages_on_one_another(tmp_path: Path) -> None:
    text = (
        "FROM x:1 AS a\nWORKDIR /app\nCOPY . .\nFROM a AS b\nRUN npm ci\nFROM a AS c\nRUN npm ci\nCOPY --from=b /x /x\n"
    )
    (warning,) = only(dockerfile(tmp_path, text), "IB904")
    assert warning.place.line == 3  # type: ignore[union-attr]
    installed = "FROM x:1 AS a\nCOPY package.json .\nRUN npm ci\nFROM a\nCOPY . .\nRUN npm ci\n"
    assert only(dockerfile(tmp_path, installed), "IB904") == []


# In Python ------------------------------------------------------------------------------------------

HEAD = "from imagebuilder import Image\nimage = Image.debian_slim()"


def spec(folder: Path, calls: str) -> Image:
    for name in ("requirements.txt", "api/requirements.txt", "web/package.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    path = folder / "spec.py"
    path.write_text(HEAD + calls + "\n")
    image = runpy.run_path(str(path))["image"]
    assert isinstance(image, Image)
    return image


@pytest.mark.parametrize(
    ("calls", "help"),
    [
        ('.add_local_dir(".", "/app").pip_install("six")', "move .pip_install(…) above .add_local_dir('.', '/app')"),
        ('.add_local_dir("./", "/app").apt_install("git")', "move .apt_install(…) above"),
        ('.add_local_dir(".", "/app").pip_install_from_requirements("requirements.txt")', "from_requirements(…) above"),
        ('.add_local_dir("api", "/api").pip_install_from_requirements("api/requirements.txt")', "'api', '/api'"),
        ('.add_local_dir("api", "/api").run_commands("pip install -r /api/requirements.txt")',
         ".pip_install_from_requirements('api/requirements.txt')"),
        ('.add_local_dir("web", "/web").npm_install(path="web", dest="/x")', "move .npm_install(…) above"),
        ('.add_local_dir("web", "/web").workdir("/web").run_commands("npm ci")', ".npm_install(path='web', dest='/web')"),
        ('.add_local_dir("web", "/web").run_commands("cd /web", "npm ci")', ".npm_install(path='web', dest='/web')"),
        ('.add_local_dir(".", "/app").workdir("/app").run_commands("uv sync")', ".uv_sync('.')"),
        ('.add_local_dir(".", "/app").workdir("/app").run_commands("bundle install")',
         ".add_local_file('Gemfile.lock', '/app/Gemfile.lock').run_commands('bundle install')"),
    ],
)  # fmt: skip
def test_in_python(tmp_path: Path, calls: str, help: str) -> None:
    (warning,) = only(spec(tmp_path, calls), "IB904")
    assert help in warning.help
    assert "add_local_dir" in warning.render()


@pytest.mark.parametrize(
    "calls",
    [
        '.pip_install("six").add_local_dir(".", "/app")',
        '.add_local_dir("web", "/web").pip_install("six")',
        '.add_local_dir("web", "/web").pip_install_from_requirements("api/requirements.txt")',
        '.add_local_dir(".", "/app").pip_install("/app")',
        '.add_local_dir(".", "/app", ignore=["**", "!requirements.txt"]).pip_install("six")',
        '.add_local_dir("..", "/app").pip_install("six")',
        '.add_local_file("requirements.txt", "/r.txt").run_commands("pip install -r /r.txt")',
        '.add_local_python_source("app").pip_install("six")',
        '.add_local_dir(".", "/app").run_commands("#!/usr/bin/env python3\\nprint(1)\\n# npm ci")',
    ],
)
def test_not_in_python(tmp_path: Path, calls: str) -> None:
    assert only(spec(tmp_path, calls), "IB904") == []


def test_each_stage_of_a_chain_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage sees what stands below it, which is not looked through again for each that stands on it."""
    texts: list[str] = []

    def noted(text: str) -> object:
        texts.append(text)
        return installs(text)

    monkeypatch.setattr(order, "installs", noted)
    chain = "".join(f"FROM s{n} AS s{n + 1}\nRUN make {n}\n" for n in range(20))
    path = dockerfile(tmp_path, f"FROM debian:12 AS s0\nCOPY . /app\n{chain}FROM s20\nWORKDIR /app\nRUN npm ci\n")
    assert len(only(path, "IB904")) == 1
    assert len(texts) == 21
