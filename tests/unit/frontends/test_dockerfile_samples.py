"""Real-world Dockerfiles of many languages: what each is read as."""

from pathlib import Path

import pytest

from imagebuilder.frontends.dockerfile import load
from imagebuilder.ir.ops import BaseImage, Scratch
from imagebuilder.ir.stage import Stage, ordered

FOLDER = Path(__file__).parent / "dockerfiles"
# The needed stages in their order: the base, and the verbs of the steps.
EXPECTED = {
    "add-remote": [
        ("scratch", "add cmd"),
    ],
    "airflow": [
        ("scratch", "write_files write_files"),
        ("python:3.8-slim-bookworm", "shell arg env arg copy run label entrypoint"),
    ],
    "alpine-edge": [
        ("alpine:edge", "run maintainer shell onbuild onbuild volume user cmd"),
    ],
    "arg-matrix": [
        ("docker.io/library/debian:12-slim", "arg arg arg label"),
        ("<common>", "env"),
        ("<variant-minimal>", "arg env copy copy workdir"),
    ],
    "bazel-distroless": [
        ("gcr.io/cloud-builders/bazel", "copy run"),
        ("gcr.io/distroless/base-debian12", "copy healthcheck entrypoint cmd"),
    ],
    "cpp-cmake": [
        ("ubuntu:22.04", "arg run"),
        ("<toolchain>", "arg workdir copy copy copy run"),
        ("ubuntu:22.04", "copy entrypoint"),
    ],
    "cuda": [
        ("nvidia/cuda:12.4.1-devel-ubuntu20.04", "arg arg arg env run run arg env"),
        ("<base>", "copy run arg run"),
        ("nvidia/cuda:12.4.1-base-ubuntu22.04", "run entrypoint"),
    ],
    "dev-copy-options": [
        ("node:22", "workdir copy copy"),
        ("<all>", "copy copy"),
    ],
    "docker-in-docker": [
        ("docker:24-cli", "run env run copy volume expose entrypoint cmd"),
    ],
    "dotnet": [
        ("mcr.microsoft.com/dotnet/aspnet:8.0", "user workdir expose expose"),
        ("mcr.microsoft.com/dotnet/sdk:8.0", "arg workdir copy run copy workdir run"),
        ("<build>", "arg run"),
        ("<base>", "workdir copy entrypoint"),
    ],
    "elixir-phoenix": [
        (
            "hexpm/elixir:1.16.0-erlang-26.2.1-debian-bullseye-20231009-slim",
            "run workdir env copy run run copy copy run",
        ),
        ("debian:bullseye-20231009-slim", "run env env workdir run env copy user cmd"),
    ],
    "go-cross": [
        ("golang:1.22-alpine", "arg arg workdir run run"),
        ("gcr.io/distroless/static-debian12:nonroot", "copy user entrypoint"),
    ],
    "heredoc-tour": [
        ("debian:bookworm", "env run run run run write_files write_files add write_files"),
    ],
    "java-maven": [
        ("maven:3.9-eclipse-temurin-21", "workdir copy copy run copy run run"),
        ("eclipse-temurin:21-jre", "volume arg copy copy copy entrypoint"),
    ],
    "jupyter": [
        ("quay.io/jupyter/minimal-notebook", "label shell user run user run workdir copy"),
    ],
    "nginx-static": [
        ("nginx:1.25-alpine", "label copy copy expose stop_signal healthcheck cmd"),
    ],
    "node-multistage": [
        ("node:20.11.0-alpine", "workdir env"),
        ("<base>", "run copy run"),
        ("<base>", "copy copy run"),
        ("<base>", "env run run copy copy user expose env cmd"),
    ],
    "php-fpm": [
        ("php:8.3-fpm-alpine", "copy run copy env env env workdir copy run copy run volume entrypoint cmd"),
    ],
    "postgres-official": [
        (
            "debian:bookworm-slim",
            "run env run env env env env run volume copy run write_files run entrypoint stop_signal expose cmd",
        ),
    ],
    "python-poetry": [
        ("python:3.12-slim", "env env"),
        ("<python-base>", "run run workdir copy run"),
        ("<python-base>", "copy copy workdir expose cmd"),
    ],
    "python-uv": [
        ("python:3.12-slim-bookworm", "copy workdir env env run add run env entrypoint cmd"),
    ],
    "redis-official": [
        ("alpine:3.19", "run env env run run volume workdir copy entrypoint expose cmd"),
    ],
    "ruby-rails": [
        ("docker.io/library/ruby:3.3.0-slim", "workdir run env"),
        ("<base>", "copy run copy run"),
        ("<base>", "copy copy run user entrypoint expose cmd"),
    ],
    "rust-cargo-chef": [
        ("lukemathwalker/cargo-chef:latest-rust-1", "workdir"),
        ("<chef>", "copy run"),
        ("<chef>", "copy run copy run"),
        ("debian:bookworm-slim", "workdir copy entrypoint"),
    ],
    "secrets": [
        ("python:3.12", "run run run"),
    ],
    "windows": [
        ("mcr.microsoft.com/windows/servercore:ltsc2022", "shell workdir env copy run cmd"),
    ],
    "wordpress-apache": [
        ("php:8.2-apache", "run run run volume copy copy entrypoint cmd"),
    ],
}


def summary(stage: Stage) -> tuple[str, str]:
    match stage.base:
        case Stage(name=name):
            base = f"<{name}>"
        case BaseImage(ref=ref):
            base = ref.split("@")[0]
        case Scratch():
            base = "scratch"
        case _:
            raise AssertionError(stage.base)
    return base, " ".join(step.op.verb for step in stage.steps)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_dockerfile(name):
    """It is read whole, into the stages that its last one needs."""
    assert [summary(stage) for stage in ordered(load(FOLDER / f"{name}.Dockerfile"))] == EXPECTED[name]


def test_every_sample_is_expected():
    """No sample lies beside the table."""
    assert {file.stem for file in FOLDER.iterdir()} == set(EXPECTED)


def test_core_operations_alone():
    """A Dockerfile says how, so nothing is left to lower."""
    for file in FOLDER.iterdir():
        for stage in ordered(load(file)):
            assert all(step.op.core for step in stage.steps)
            assert all((step.root != "") == any(True for _ in step.op.locals()) for step in stage.steps)
