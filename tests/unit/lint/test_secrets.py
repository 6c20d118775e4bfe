"""Secrets in the spec: found where they are, told without being shown, and nothing else taken for one."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from imagebuilder import Image, expand
from imagebuilder.diagnostics import Diagnostic
from imagebuilder.lint.tokens import tokens
from tests.unit.lint.linting import DRAWN, TOKENS, dockerfile, found, only

# Values of names that ask for a secret, which are none.
NO_SECRETS = [
    ("API_TOKEN", ""), ("API_TOKEN", "x"), ("API_TOKEN", "changeme"), ("API_TOKEN", "<your-token>"),
    ("API_TOKEN", "your_token_here"), ("DB_PASSWORD", "CHANGE_ME"), ("SECRET_KEY", "dummy"),
    ("SECRET_KEY", "insecure-key-for-collectstatic"), ("SECRET_KEY_BASE", "build"), ("SECRET_KEY_BASE", "1"),
    ("SECRET_KEY_BASE", "placeholder"), ("API_KEY", "xxxxxxxxxxxx"), ("API_KEY", "************"),
    ("API_KEY", "null"), ("API_KEY", "none"), ("MYSQL_ALLOW_EMPTY_PASSWORD", "yes"), ("MYSQL_RANDOM_ROOT_PASSWORD", "yes"),
    ("DB_PASSWORD", "/run/secrets/db"), ("DB_PASSWORD", "./password.txt"), ("DB_PASSWORD", "file:///x"),
    ("VAULT_TOKEN", "vault:secret/data/app"), ("API_SECRET", "op://vault/item/field"), ("AWS_SECRET", "arn:aws:x:y"),
    ("API_KEY", "${API_KEY}"), ("API_KEY", "{{ api_key }}"), ("API_KEY", "%(key)s"), ("API_KEY", "OTHER_API_KEY"),
    ("IMAGE_PULL_SECRET", "my-registry-secret"), ("TLS_SECRET", "web.tls"), ("API_KEY", "$(cat /run/key)"),
    ("EOS_TOKEN", "</s>"), ("PAD_TOKEN", "padding1"), ("MAX_TOKEN", "40961"), ("NUM_TOKEN", "many"),
    # Names that only sound like one.
    ("TOKEN_URL", "abcDEF123456"), ("PASSWORD_FILE", "abcDEF123456"), ("SECRET_NAME", "abcDEF123456"),
    ("TOKENIZERS_PARALLELISM", "falsetto"), ("AWS_ACCESS_KEY_ID", "abcDEF123456"), ("KEYBOARD", "abcDEF123456"),
    ("TOKEN_LENGTH", "abcDEF123456"), ("SSH_KEY_TYPE", "ed25519x"), ("PASSWORDLESS", "abcDEF123"), ("BYPASS", "abcDEF123"),
    ("GPG_KEY", "E3FF2839C048B25C084DEBE9B26995E310250568"), ("PYTHON_SHA256", "0123456789abcdef" * 4),
    ("PATH", "/usr/bin"), ("NODE_VERSION", "20.11.0"), ("MONKEY", "abcDEF123"), ("COMPASS", "abcDEF123"),
]  # fmt: skip
SECRETS = [
    ("API_TOKEN", DRAWN[:20]), ("GITHUB_TOKEN", DRAWN[:40]), ("DB_PASSWORD", "hunter2"), ("db_password", "hunter2"),
    ("POSTGRES_PASSWORD", "postgres"), ("PGPASSWORD", "s3cr3t!"), ("DB_PASS", "hunter2"), ("PASSWORD", "pa ss"),
    ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzQ2w4T6x8Z"), ("apiKey", DRAWN[:16]), ("API-KEY", DRAWN[:16]),
    ("STRIPE_API_KEY", "supersecret"), ("CLIENT_SECRET", "abc-123-def"), ("DJANGO_SECRET_KEY", DRAWN[:50]),
    ("SSH_PRIVATE_KEY", DRAWN[:60]), ("GPG_PASSPHRASE", "correct horse"), ("APP_CREDENTIALS", DRAWN[:20]),
]  # fmt: skip


def shown(diagnostics: list[Diagnostic]) -> str:
    return "\n".join(each.render() + repr(each) + str(each.as_json()) for each in diagnostics)


@pytest.mark.parametrize(("kind", "token"), TOKENS.items(), ids=TOKENS)
def test_tokens_by_their_form(tmp_path: Path, kind: str, token: str) -> None:
    base = Image.debian_slim()
    images = [
        base.env({"X": f"a {token}"}),
        base.env({"X": expand("${Y:-" + token + "}")}) if "\n" not in token else base.env(X=token),
        base.label({"x": token}),
        base.arg("X", token),
        base.run_commands(f"true\nprintf '{token}' > /x"),
        base.run_commands(["printf", token]),
        base.add_text(f"value: {token}\n", "/x"),
        base.cmd(["serve", token]),
    ]
    for image in images:
        (warning,) = only(image, "IB902")
        assert kind in warning.message and "secrets=[" in warning.help
    if "\n" not in token:
        path = dockerfile(tmp_path, f"FROM debian:12\nENV A=b \\\n  X='{token}'\nRUN <<EOF\necho {token}\nEOF\n")
        told = only(path, "IB902")
        assert [each.place.line for each in told] == [3, 5]  # type: ignore[union-attr]
        assert token not in shown(told) and "****" in told[0].render()


def test_keys_without_an_end_are_told_of_once() -> None:
    """The first has all that follows: one copy of the rest for each of them would fill the memory."""
    key = TOKENS["a private key"].partition("-----END")[0]
    assert list(tokens(key * 3)) == [("a private key", key * 3)]
    ended = TOKENS["a private key"]
    assert [token for _, token in tokens(ended * 2)] == [key, key]


@pytest.mark.parametrize(
    "text",
    [
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "AKIAIOSFODNN7EXAMPLE",
        "x" + TOKENS["an npm token"],
        TOKENS["a GitHub token"][:30],
        "sk-learn-is-not-a-key-of-anything-at-all",
        "grep -q -- '-----BEGIN PRIVATE KEY-----' /etc/key.pem",
        "openssl req -newkey rsa:2048 # writes -----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----",
        "-----BEGIN CERTIFICATE-----\n" + DRAWN,
        "-----BEGIN PUBLIC KEY-----\n" + DRAWN,
        "eyJhbGciOiJIUzI1NiJ9",
        "hf_transfer hf_hub_download",
        "https://hooks.slack.com/services/T000/B000/XXXXXXXXXXXXXXXXXXXXXXXX",
        "0123456789abcdef" * 4,
        "npm_config_cache_min_and_other_long_names_of_settings",
    ],
)
def test_what_only_looks_like_a_token(text: str) -> None:
    assert found(Image.debian_slim().run_commands(text).env(X=text).label(y=text)) == []


@pytest.mark.parametrize(("name", "value"), SECRETS)
def test_values_of_names_that_ask_for_a_secret(tmp_path: Path, name: str, value: str) -> None:
    for image in (Image.debian_slim().env({name: value}), Image.debian_slim().label({name: value})):
        (warning,) = found(image)
        assert warning.code == "IB903" and f"'{name}'" in warning.message and f"--env {name}" in warning.help
        assert value not in warning.message + warning.help
    path = dockerfile(tmp_path, f'FROM debian:12\nARG A=1\nENV {name}="{value}" B=$A\nARG C="$B"\nRUN true\n')
    (warning,) = found(path)
    assert warning.place.line == 3 and value not in shown([warning])  # type: ignore[union-attr]
    assert f"--mount=type=secret,id={name},env={name}" in warning.help


@pytest.mark.parametrize(("name", "value"), NO_SECRETS)
def test_what_is_no_secret(name: str, value: str) -> None:
    assert found(Image.debian_slim().env({name: value}).label({name: value})) == []
    assert found(Image.debian_slim().arg(name.replace("-", "_"), value)) == []


def test_a_reference_is_no_secret(tmp_path: Path) -> None:
    text = """\
FROM debian:12
ARG TOKEN
ARG DB_PASSWORD=
ENV API_TOKEN=$TOKEN DB_PASSWORD=${DB_PASSWORD} API_KEY=${API_KEY:-none}
RUN --mount=type=secret,id=KEY,env=API_KEY curl -H "Authorization: Bearer $API_KEY" https://example.org
RUN SECRET_KEY_BASE_DUMMY=1 SECRET_KEY=collectstatic ./manage.py collectstatic
RUN DATABASE_PASSWORD=$(cat /x) PASSWORD="" make && git config --global token=x
RUN echo 'export API_KEY="${API_KEY}"' >> /etc/profile && useradd --password-hash x
"""
    assert found(dockerfile(tmp_path, text)) == []
    assert found(Image.debian_slim().env(API_KEY=expand("$X"), TOKEN=expand("a${X:-b}"))) == []


@pytest.mark.parametrize(
    "command",
    [
        f"export API_KEY={DRAWN[:24]}",
        f"SENTRY_AUTH_TOKEN='{DRAWN[:24]}' npm run build",
        f"login --user x --password {DRAWN[:24]}",
        f"login --api-key='{DRAWN[:24]}'",
        f'curl -H "Authorization: Bearer {DRAWN[:24]}" https://example.org',
    ],
)
def test_secrets_in_commands(command: str) -> None:
    (warning,) = found(Image.debian_slim().run_commands("true", command))
    assert warning.code == "IB903" and DRAWN[:24] not in warning.message + warning.help


def test_one_warning_for_one_secret() -> None:
    token = TOKENS["a GitHub token"]
    image = Image.debian_slim().env(GITHUB_TOKEN=token, OTHER=token, DB_PASSWORD="hunter2", PGPASSWORD="hunter2")
    assert [each.code for each in found(image)] == ["IB902", "IB903"]


# What is shown --------------------------------------------------------------------------------------


def spec(folder: Path, text: str) -> Image:
    path = folder / "spec.py"
    path.write_text("from imagebuilder import Image\n" + text)
    image = runpy.run_path(str(path))["image"]
    assert isinstance(image, Image)
    return image


def test_the_place_is_the_secret_itself(tmp_path: Path) -> None:
    image = spec(tmp_path, 'image = Image.base("nginx:1").env(\n    {\n        "DB_PASSWORD": "hunter2",\n    }\n)\n')
    (warning,) = found(image)
    assert warning.render().splitlines()[1:6] == [
        f" --> {tmp_path}/spec.py:4:25",
        "  |",
        '4 |         "DB_PASSWORD": "*******",',
        "  |                         ^^^^^^^",
        "  = help: whoever has the image can read it; give it where it is needed: .run_commands(…, secrets=['DB_PASSWORD']) or docker run --env DB_PASSWORD …",
    ]


@pytest.mark.parametrize(
    "line",
    [
        'image = Image.base("nginx").env(DB_PASSWORD="hun" + "ter2")',
        'image = Image.base("nginx").env(DB_PASSWORD="hun\\x74er2")',
        'image = Image.base("nginx").env(DB_PASSWORD="hun" "ter2")',
        'a = "hunter2"; image = Image.base("nginx").env(DB_PASSWORD=a)',
        'image = Image.base("nginx").env(DB_PASSWORD="hunter2")',
    ],
)
def test_no_excerpt_shows_it(tmp_path: Path, line: str) -> None:
    """Neither that of the secret, where it is written otherwise than it reads, nor that of another warning there."""
    told = found(spec(tmp_path, line + "\n"))
    assert [each.code for each in told] == ["IB901", "IB903"] or [each.code for each in told] == ["IB903", "IB901"]
    for each in told:
        text = each.render()
        assert not any(part in text for part in ("ter2", '"hun'))


@pytest.mark.parametrize("length", range(20, 110, 10))
def test_a_command_that_is_quoted_and_cut(tmp_path: Path, length: int) -> None:
    token = TOKENS["a GitHub token"]
    command = f"pip install {'x' * length}==1 flask=={token}"
    told = found(dockerfile(tmp_path, f"FROM x:1\nCOPY . .\nRUN {command}\n"))
    assert [each.code for each in told] == ["IB904", "IB902"] and token[:12] not in shown(told)


def test_every_line_of_a_key_is_masked(tmp_path: Path) -> None:
    key = TOKENS["a private key"]
    image = spec(tmp_path, f'image = Image.debian_slim().add_text("""{key}""", "/key")\n')
    (warning,) = found(image)
    assert not any(line in shown([warning]) for line in key.splitlines()[:3])


@pytest.mark.parametrize(
    "text",
    [
        "git clone https://oauth2:{}@gitlab.example-corp.com/x.git",
        "pip install -r requirements.txt --extra-index-url https://me:{}@pypi.corp.net/simple",
        "redis://:{}@redis.corp.net:6379/0",
    ],
)
def test_a_password_in_a_url(tmp_path: Path, text: str) -> None:
    text = text.format("s3cr3tWord").replace("example-", "")
    for image in (Image.debian_slim().run_commands(text), Image.debian_slim().env(SERVER=text)):
        (warning,) = found(image)
        assert warning.code == "IB902" and "a password in a URL" in warning.message
        assert "s3cr3tWord" not in warning.message + warning.help
    # Nor do others show it that quote the command.
    told = found(dockerfile(tmp_path, f"FROM x:1\nCOPY . .\nRUN {text}\n"))
    assert "IB902" in [each.code for each in told] and "s3cr3tWord" not in shown(told)


@pytest.mark.parametrize(
    "text",
    [
        "postgres://postgres:postgres@db.corp.net/x",
        "postgres://app:s3cr3tWord@localhost:5432/x",
        "postgres://app:s3cr3tWord@db/x",
        "postgres://app:s3cr3tWord@127.0.0.1/x",
        "https://user:s3cr3tWord@pypi.example.com/simple",
        "https://user:$TOKEN@corp.net",
        "https://user:${TOKEN}@corp.net",
        "https://corp.net:8080/a@b",
        "ssh://git@corp.net/x",
        "12:30 https://corp.net a@b.c",
    ],
)
def test_a_url_without_a_password_of_worth(text: str) -> None:
    assert found(Image.debian_slim().run_commands(f"x {text}").env(SERVER=text)) == []
