"""The registries of a home."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from imagebuilder.diagnostics import CompileError, Diagnostic, ImagebuilderError, Invalid, did_you_mean
from imagebuilder.registries import addresses
from imagebuilder.registries.login import Login, LoginTest, docker_config_with, sweep
from imagebuilder.registries.passwords import KINDS, Kind, PasswordFile, Place, Unkept, place, places
from imagebuilder.registries.presets import PRESETS, Preset, of_host, unfit
from imagebuilder.store import Registry, RegistryTable, Store

_ADD = "imagebuilder registry add"


class Registries:
    """The registries of a client: ``Client.registry``."""

    def __init__(self, store: Store) -> None:
        self._home = store.home
        self._locks = store.locks
        self._table = RegistryTable(store)

    def add(
        self,
        name: str,
        *,
        url: str | None = None,
        username: str | None = None,
        password: str | Callable[[], str],
        project: str | None = None,
        preset: str | None = None,
        replace: bool = False,
        keep_in: Kind | None = None,
    ) -> Registry:
        """Remember a login. Nobody is asked whether it is right: that is :meth:`test`.

        Args:
            name: letters, digits, ``.``, ``_`` and ``-``.
            url: such as ``ghcr.io`` or ``registry.example.com:5000``; None or empty is Docker Hub. ``http://`` before
                it says that it has no TLS. A path after it is the project.
            password: or token, or what gives it, which is called when all else is in order; kept where ``keep_in``
                says.
            project: the part of the registry that the login is for, such as ``team``; None or empty is all of it.
            preset: ``dockerhub``, ``ghcr``, ``gar`` or ``ecr``, which fill in the address and the user where they can.
            replace: take the place of the registry of that name, such as for a new password; what is None stays.
            keep_in: ``keyring`` (the system's, through the package of that name), ``helper`` (the credential helper
                of Docker's configuration) or ``file`` (in the home, the owner's alone); None is the first there is.

        Raises:
            CompileError: an argument is wrong, or the name or the address is taken.
            ImagebuilderError: the password cannot be kept.
        """
        known = self._preset(preset)
        before = next((each for each in self._table.list() if replace and each.name == name), None)
        if url is None:
            url = (known.url if known else "") or (before.url if before else "")
        if not username:
            username = (known.username if known else "") or (before.username if before else "")
        if known and not (url or known.url):
            help = f"give --url, such as {known.example}"
            raise CompileError(Diagnostic("IB721", f"{known.title} has no one address", help=help))
        try:
            addresses.registry_name(name)
            address, path = addresses.address(url)
            host = address.rpartition("://")[2]
            if project is None:
                project = path or (before.project if before else "")
            project = addresses.project_path(project, host)
        except Invalid as error:
            raise CompileError(error.at(None)) from None
        wanted = Registry(name, address, username, project)
        if before:
            keep_in = keep_in or place(before.kept_in, self._home).kind
        self._check(wanted, known, keep_in)
        self._check_free(wanted, replace)
        if not isinstance(password, str):
            password = password()
        _check_password(wanted, password)
        with self._table.lock():
            self._sweep()
            self._check_free(wanted, replace)
            kept = self._keep(wanted, password, places(host, self._home, keep_in))
            self._table.ready(kept.id, name)
            self._sweep()  # The one that it replaces.
        return kept

    def list(self) -> list[Registry]:
        """All registries, by name."""
        return self._table.list()

    def get(self, name: str) -> Registry:
        """
        Raises:
            CompileError: there is none of that name.
        """
        known = self._table.list()
        for registry in known:
            if registry.name == name:
                return registry
        hint = did_you_mean(name, [each.name for each in known]) or (
            "`imagebuilder registry list` shows what there is" if known else f"`{_ADD}` adds one"
        )
        raise CompileError(Diagnostic("IB722", f"no registry is called {name!r}", help=hint))

    def remove(self, name: str) -> Registry:
        """Forget the registry and its password.

        Raises:
            CompileError: there is none of that name.
            ImagebuilderError: it is forgotten, and its password is not: where that is kept does not answer. Each later
                change of a registry tries again.
        """
        with self._table.lock():
            self._sweep()
            found = self.get(name)
            self._table.leave(found.id)
            where = place(found.kept_in, self._home)
            try:
                where.forget(found.id)
            except Unkept as error:
                message = f"{name!r} is removed, but its password is still in {where.title}: {error}"
                help = "`imagebuilder registry` tries again whenever it adds or removes one"
                raise ImagebuilderError(Diagnostic("IB725", message, help=help)) from None
            self._table.forget(found.id)
        return found

    def test(self, name: str, image: str | None = None) -> LoginTest:
        """Log in, and see whether the project, or an image, may be pulled. Pulls nothing.

        Raises:
            CompileError: there is none of that name, or the image is not of it.
            ImagebuilderError: what is wrong, in one line.
        """
        from imagebuilder.registries.handshake import handshake

        registry = self.get(name)
        repository = ""
        if image is not None:
            host, repository = addresses.split(image)
            if host != registry.host:
                help = f"name one of {registry.host}, such as {registry.host}/{registry.project or 'team'}/app:1.0"
                raise CompileError(Diagnostic("IB721", f"{image!r} is not an image of {name!r}", help=help))
        return handshake(self._login(registry), repository)

    def of(self, ref: str) -> Registry | None:
        """The registry that an image is of, by its host and project; None where it is none of ours."""
        return addresses.belongs(ref, self._table.list())

    def header(self, ref: str) -> str | None:
        """``X-Registry-Auth`` for pulling an image; None where it is of no registry of ours.

        Raises:
            ImagebuilderError: the password cannot be read.
        """
        found = self.of(ref)
        return None if found is None else self._login(found).header

    @contextmanager
    def docker_config(self, refs: Iterable[str]) -> Iterator[Path | None]:
        """A folder for ``DOCKER_CONFIG`` that has the logins of those images and no others, while the block lasts.

        None where no image is of a registry of ours: then Docker's own configuration is right as it is.

        Raises:
            CompileError: the images are of two logins of one host, and Docker knows one a host.
            ImagebuilderError: a password cannot be read.
        """
        sweep(self._home, self._locks)
        refs = list(refs)
        known = self._table.list()
        found: dict[str, Registry] = {}
        for ref in refs:
            registry = addresses.belongs(ref, known)
            if registry is None:
                continue
            first = found.setdefault(registry.host, registry)
            if first != registry:
                message = f"one build cannot log in to {registry.host} as {first.name!r} and as {registry.name!r}"
                help = "give a registry without --project a login that may pull from both, or build in two steps"
                raise CompileError(Diagnostic("IB125", message, help=help))
        if not found:
            yield None
            return
        logins = [self._login(registry) for registry in found.values()]
        hosts = {addresses.split(ref)[0] for ref in refs}
        with docker_config_with(logins, hosts, self._home, self._locks) as folder:
            yield folder

    def _login(self, registry: Registry) -> Login:
        where = place(registry.kept_in, self._home)
        try:
            password = where.read(registry.id)
        except Unkept as error:
            reason = f"the password of {registry.name!r} cannot be read from {where.title}: {error}"
        else:
            if password is not None:
                return Login(registry, password)
            reason = f"the password of {registry.name!r} is no longer in {where.title}"
        help = f"`{_ADD} {registry.name} --replace` keeps it anew"
        raise ImagebuilderError(Diagnostic("IB725", reason, help=help))

    def _keep(self, wanted: Registry, password: str, where: Sequence[Place]) -> Registry:
        """The row of a password that is kept; not seen by others yet."""
        for each in where:
            # First the row, so that a process that is killed leaves no password that nothing knows of.
            row = self._table.begin(wanted.name, wanted.url, wanted.username, wanted.project, each.kept_in)
            try:
                each.keep(row.id, wanted.username, password)
                return row
            except Unkept as error:
                self._table.forget(row.id)
                # A keyring that is there may be locked for good, as on a server. A helper was configured by somebody.
                if each.kept_in != "keyring" or each is where[-1]:
                    _unkept(each, error)
        help = "leave --keep-in (keep_in=) out, or install the package keyring, or set `credsStore` in Docker's config"
        raise ImagebuilderError(Diagnostic("IB725", "there is no such place for a password here", help=help))

    def _sweep(self) -> None:
        """Forget what was cut off, and the passwords of registries that are gone; only for who holds the lock."""
        for row in self._table.cut_off():
            with suppress(Unkept):
                place(row.kept_in, self._home).forget(row.id)
                self._table.forget(row.id)
        PasswordFile(self._home).sweep()
        sweep(self._home, self._locks)

    def _preset(self, name: str | None) -> Preset | None:
        if name is None:
            return None
        if name not in PRESETS:
            hint = did_you_mean(name, tuple(PRESETS)) or f"one of: {', '.join(PRESETS)}"
            raise CompileError(Diagnostic("IB721", f"no preset is called {name!r}", help=hint))
        return PRESETS[name]

    def _check_free(self, wanted: Registry, replace: bool) -> None:
        for other in self._table.list():
            if other.name == wanted.name and not replace:
                help = "`--replace` (replace=True) takes its place; `imagebuilder registry remove` forgets it"
                raise CompileError(Diagnostic("IB723", f"a registry is called {wanted.name!r} already", help=help))
            if other.name != wanted.name and (other.host, other.project) == (wanted.host, wanted.project):
                what = f"{wanted.host}/{wanted.project}" if wanted.project else wanted.host
                help = f"replace {other.name!r}, or give --project, so that one can tell whose an image is"
                message = f"the registry {other.name!r} is of {what!r} already"
                raise CompileError(Diagnostic("IB723", message, help=help))

    def _check(self, wanted: Registry, known: Preset | None, keep_in: Kind | None) -> None:
        if known and of_host(wanted.host) is not known:
            help = f"such as {known.example or known.url}, or leave --preset out"
            message = f"{wanted.host!r} is not an address of {known.title}"
            raise CompileError(Diagnostic("IB721", message, help=help))
        known = of_host(wanted.host)
        if not wanted.username:
            help = f"give --username{': ' + known.username if known and known.username else ''}"
            raise CompileError(Diagnostic("IB721", "a registry's login has a user", help=help))
        if ":" in wanted.username or not wanted.username.isprintable():
            help = "a user has no ':' and no characters that cannot be seen"
            raise CompileError(Diagnostic("IB721", "not a registry's user", help=help))
        if keep_in is not None and keep_in not in KINDS:
            raise CompileError(
                Diagnostic("IB724", f"no place is called {keep_in!r}", help=f"one of: {', '.join(KINDS)}")
            )


def _check_password(wanted: Registry, password: str) -> None:
    known = of_host(wanted.host)
    help = f"{known.title} wants {known.password}; {known.renew}" if known else "give the password, or a token"
    why = "it is empty" if not password else "it has a NUL in it" if "\0" in password else unfit(wanted, password)
    if why:
        raise CompileError(Diagnostic("IB724", f"not a password for {wanted.host}: {why}", help=help))


def _unkept(where: Place, error: Unkept) -> NoReturn:
    help = "mend it, or keep the password elsewhere: --keep-in (keep_in=) is keyring, helper or file"
    raise ImagebuilderError(
        Diagnostic("IB725", f"the password could not be kept in {where.title}: {error}", help=help)
    ) from None
