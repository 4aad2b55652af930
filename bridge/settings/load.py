"""Read settings from command line, environment, files of secrets and bridge.toml, and report all mistakes at once."""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bridge.delivery import timetable
from bridge.errors import SettingsError
from bridge.settings import callers
from bridge.settings.fields import zone_of
from bridge.settings.keys import (
    ENVIRONMENT_PREFIX,
    NAMED_SECTIONS,
    SECTIONS,
    Key,
    Settings,
    keys,
    named_keys,
)

FILE_NAME = "bridge.toml"
FILE_VARIABLE = "SOAPBRIDGE_CONFIG"
"""Names another settings file than ./bridge.toml."""


def load(
    file: str | os.PathLike[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    command_line: Mapping[str, Any] | None = None,
) -> Settings:
    """Read settings.

    Args:
        file: bridge.toml; None takes `$SOAPBRIDGE_CONFIG`, else ./bridge.toml where there is one.
        environ: the environment, os.environ unless given.
        command_line: by key (`server.port`); None values count as not given.

    Raises:
        SettingsError: with every mistake found, in file and environment together.
    """
    environ = os.environ if environ is None else environ
    return _Loader(_find_file(file, environ), environ, command_line or {}).load()


def override(settings: Settings, command_line: Mapping[str, Any]) -> Settings:
    """The same settings with what the command line gives, by key (`server.port`); None values count as not given.

    Raises:
        SettingsError: a value given is wrong, or contradicts another.
    """
    by_path = {key.path: key for key in keys()}
    mistakes: list[str] = []
    changed: dict[str, dict[str, Any]] = {}
    for path, raw in command_line.items():
        if raw is None:
            continue
        try:
            value = _typed(by_path[path], raw, Path())
        except ValueError as error:
            mistakes.append(f"command line: {path} {error}")
        else:
            changed.setdefault(by_path[path].section, {})[by_path[path].name] = value
    sections = {
        name: dataclasses.replace(getattr(settings, name), **values) for name, values in changed.items()
    }
    given = {f"{section}.{name}": "command line" for section, values in changed.items() for name in values}
    settings = dataclasses.replace(settings, **sections, sources={**settings.sources, **given})
    mistakes.extend(_contradictions(settings, settings.sources))
    if mistakes:
        raise SettingsError.of(mistakes)
    return settings


def _find_file(file: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> Path | None:
    named = file or environ.get(FILE_VARIABLE)
    if named is None:
        here = Path(FILE_NAME)
        return here if here.is_file() else None
    path = Path(named)
    if not path.is_file():
        raise SettingsError(
            f"There is no settings file {path}.", advice="Name an existing file, or leave it out."
        )
    return path


class _Loader:
    def __init__(
        self, file: Path | None, environ: Mapping[str, str], command_line: Mapping[str, Any]
    ) -> None:
        self.file = file
        self.environ = environ
        self.command_line = command_line
        self.mistakes: list[str] = []
        self.text = ""
        self.keys = {key.path: key for key in keys()}

    def load(self) -> Settings:
        table = self._read_file()
        names = {group: _names(table, group) for group in NAMED_SECTIONS}
        for group, found in names.items():
            self.keys |= {key.path: key for name in found for key in named_keys(group, name)}
        self._refuse_unknown_variables()
        values: dict[str, dict[str, Any]] = {}
        sources: dict[str, str] = {}
        for key in self.keys.values():
            values.setdefault(key.section, {})
            given = self._find(key, table)
            sources[key.path] = "default" if given is None else given[1]
            if given is None:
                continue
            raw, place, base = given
            try:
                values[key.section][key.name] = _typed(key, raw, base)
            except ValueError as error:
                self.mistakes.append(f"{place}: {key.path} {error}")
        sections: dict[str, Any] = {name: cls(**values[name]) for name, cls in SECTIONS.items()}
        for group, cls in NAMED_SECTIONS.items():
            sections[group] = {name: cls(**values[f"{group}.{name}"]) for name in names[group]}
        settings = Settings(**sections, sources=sources, file=self.file)
        self.mistakes.extend(_contradictions(settings, sources))
        if self.mistakes:
            raise SettingsError.of(self.mistakes)
        return settings

    def _find(self, key: Key, table: Mapping[str, Any]) -> tuple[Any, str, Path] | None:
        """(raw value, the place it stands, the folder relative paths start from), or None: the default."""
        here = Path()
        if (given := self.command_line.get(key.path)) is not None:
            return given, "command line", here
        if key.variable in self.environ:
            return self.environ[key.variable], key.variable, here
        pointer = f"{key.variable}_FILE"
        if key.secret and pointer in self.environ:
            try:
                return Path(self.environ[pointer]).read_text("utf-8").strip(), pointer, here
            except (OSError, UnicodeDecodeError) as error:
                self.mistakes.append(
                    f"{pointer}: cannot read {self.environ[pointer]!r} ({type(error).__name__})"
                )
                return None
        group, _, one = key.section.partition(".")
        section = table.get(group)
        if one and isinstance(section, dict):
            section = section.get(one)
        if self.file is not None and isinstance(section, dict) and key.name in section:
            return section[key.name], self._place(key.section, key.name), self.file.parent
        return None

    def _read_file(self) -> dict[str, Any]:
        if self.file is None:
            return {}
        try:
            self.text = self.file.read_text("utf-8")
            table = tomllib.loads(self.text)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError.of([f"{self.file}: {error}"]) from error
        for section, content in table.items():
            if section in NAMED_SECTIONS:
                self._refuse_in_named(section, content)
            elif section not in SECTIONS:
                real = [*SECTIONS, *NAMED_SECTIONS, *self.keys]
                self.mistakes.append(
                    f"{self._place(section)}: there is no section [{section}]{_nearest(section, real)}"
                )
            elif not isinstance(content, dict):
                self.mistakes.append(
                    f"{self._place(section)}: {section} is a section: write [{section}] and its keys below"
                )
            else:
                for name in content:
                    if f"{section}.{name}" not in self.keys:
                        self._refuse_key(section, name)
        return table

    def _refuse_in_named(self, group: str, content: Any) -> None:
        """Each name is a table of its own: `[services.orders]`."""
        if not isinstance(content, dict):
            self.mistakes.append(
                f"{self._place(group)}: {group} has a section for each name: write [{group}.NAME] and its keys below"
            )
            return
        real = [key.name for key in named_keys(group)]
        for name, section in content.items():
            if not isinstance(section, dict):
                self.mistakes.append(
                    f"{self._place(group, name)}: {group}.{name} is a section: write [{group}.{name}] and its keys below"
                )
                continue
            for unknown in section.keys() - set(real):
                hint = _nearest(unknown, real) or f"; there are {', '.join(real)}"
                place = self._place(f"{group}.{name}", unknown)
                self.mistakes.append(f"{place}: there is no key {group}.{name}.{unknown}{hint}")

    def _refuse_key(self, section: str, name: str) -> None:
        in_section = [key.name for key in self.keys.values() if key.section == section]
        elsewhere = [key.path for key in self.keys.values() if key.name == name]
        hint = f"; did you mean {elsewhere[0]}?" if elsewhere else _nearest(name, in_section)
        hint = hint or f"; there are {', '.join(in_section)}"
        self.mistakes.append(f"{self._place(section, name)}: there is no key {section}.{name}{hint}")

    def _refuse_unknown_variables(self) -> None:
        """Only below a section's prefix: Kubernetes makes SOAPBRIDGE_PORT and SOAPBRIDGE_SERVICE_* by itself."""
        real = [key.variable for key in self.keys.values()]
        real += [f"{key.variable}_FILE" for key in self.keys.values() if key.secret]
        ours = tuple(f"{ENVIRONMENT_PREFIX}{section}_".upper() for section in SECTIONS)
        named = {f"{ENVIRONMENT_PREFIX}{group}_".upper(): group for group in NAMED_SECTIONS}
        for name in sorted(self.environ):
            if name in real:
                continue
            if name.startswith(ours):
                self.mistakes.append(f"{name}: no setting reads this variable{_nearest(name, real)}")
            elif prefix := next((one for one in named if name.startswith(one)), None):
                # Compared behind the prefix, which all of them share.
                near = _nearest(
                    name.removeprefix(prefix),
                    [one.removeprefix(prefix) for one in real if one.startswith(prefix)],
                )
                hint = (
                    near.replace("mean ", f"mean {prefix}")
                    or f"; name it in the settings file first: [{named[prefix]}.NAME]"
                )
                self.mistakes.append(f"{name}: no setting reads this variable{hint}")

    def _place(self, section: str, name: str = "") -> str:
        return f"{self.file}:{_line_of(self.text, section, name)}"


def _line_of(text: str, section: str, name: str) -> int:
    """The line (1-based) where a key, or with no name a section, stands; the section's, else 1, where it hides."""
    current, best = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*[\"']?([^\]\"']+?)[\"']?\s*\]+", line):
            current = header[1]
            if current == section or current.startswith(section + "."):
                best = number
                if not name:
                    return number
        elif (assigned := re.match(r"\s*([\w.\"'-]+)\s*=", line)) and current in (section, ""):
            written = assigned[1].replace('"', "").replace("'", "")
            dotted = written if current == "" else f"{current}.{written}"
            wanted = f"{section}.{name}" if name else section
            if dotted == wanted or dotted.startswith(wanted + "."):
                return number
    return best


def _names(table: Mapping[str, Any], group: str) -> list[str]:
    """The names that have a section of this kind; what is no section has been refused."""
    found = table.get(group)
    return (
        [name for name, section in found.items() if isinstance(section, dict)]
        if isinstance(found, dict)
        else []
    )


def _nearest(name: str, real: list[str]) -> str:
    near = difflib.get_close_matches(name, real, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _typed(key: Key, raw: Any, base: Path) -> Any:
    """The value in the key's type. Text (environment, command line) is read, TOML's own types are checked."""
    if key.choices:
        return _choice(key, raw)
    if key.type is bool:
        return _boolean(raw)
    if key.type in (int, float):
        return _number(key, raw)
    if key.type == tuple[str, ...]:
        return tuple(_list(raw))
    if key.type == tuple[Path, ...]:
        return tuple(base / one for one in _list(raw))
    if key.type == Mapping[str, str]:
        return _mapping(raw)
    if not isinstance(raw, str | os.PathLike):
        raise ValueError(f"must be text in quotes, not {raw!r}")
    if key.type == Path | None:
        return base / raw if raw else None
    return base / raw if key.type is Path else str(raw)


def _choice(key: Key, raw: Any) -> str:
    if raw not in key.choices:
        raise ValueError(
            f"must be one of {', '.join(key.choices)}, not {raw!r}{_nearest(str(raw), list(key.choices))}"
        )
    return str(raw)


def _boolean(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    words = {
        "true": True,
        "yes": True,
        "on": True,
        "1": True,
        "false": False,
        "no": False,
        "off": False,
        "0": False,
    }
    if not isinstance(raw, str) or raw.strip().lower() not in words:
        raise ValueError(f"must be true or false, not {raw!r}")
    return words[raw.strip().lower()]


def _number(key: Key, raw: Any) -> int | float:
    unit = f" {key.unit}" if key.unit else ""
    kind: type[int | float] = key.type
    what = "a whole number" if kind is int else "a number"
    if (
        isinstance(raw, bool)
        or not isinstance(raw, int | float | str)
        or (kind is int and isinstance(raw, float))
    ):
        raise ValueError(f"must be {what}{unit and f' of{unit}'}, not {raw!r}")
    try:
        value = kind(raw)
    except ValueError:
        raise ValueError(f"must be {what}{unit and f' of{unit}'}, not {raw!r}") from None
    # `not (a <= b)` rather than `a > b`: NaN is refused too.
    if key.least is not None and not value >= key.least:
        raise ValueError(f"must be at least {key.least:g}{unit}, not {value!r}")
    if key.most is not None and not value <= key.most:
        raise ValueError(f"must be at most {key.most:g}{unit}, not {value!r}")
    return value


def _list(raw: Any) -> list[str]:
    if isinstance(raw, str):
        return [one.strip() for one in raw.split(",") if one.strip()]
    if not isinstance(raw, list | tuple) or not all(isinstance(one, str) for one in raw):
        raise ValueError(f'must be a list of texts (["a", "b"]), not {raw!r}')
    return list(raw)


def _mapping(raw: Any) -> dict[str, str]:
    if isinstance(raw, str):
        pairs = [one.partition("=") for one in _list(raw)]
        if all(equals for _, equals, _ in pairs):
            return {name.strip(): text.strip() for name, _, text in pairs}
    elif isinstance(raw, dict) and all(isinstance(text, str) for text in raw.values()):
        return dict(raw)
    raise ValueError(f'must be a table of texts ({{ a = "b" }}; in the environment a=b, c=d), not {raw!r}')


def _place(sources: Mapping[str, str], path: str) -> str:
    """Where a value came from; settings made in code have no sources."""
    return sources.get(path, "settings")


def _unfit_tls(settings: Settings, sources: Mapping[str, str]) -> Iterator[str]:
    tls = settings.tls
    for has, name, lacks in ((tls.certificate, "certificate", "key"), (tls.key, "key", "certificate")):
        if has and getattr(tls, lacks) is None:
            yield f"{_place(sources, f'tls.{name}')}: tls.{name} is set and tls.{lacks} is not: set both or neither"
    if tls.client_ca and not tls.certificate:
        yield f"{_place(sources, 'tls.client_ca')}: tls.client_ca needs tls.certificate and tls.key"


def _unfit_deliveries(settings: Settings, sources: Mapping[str, str]) -> Iterator[str]:
    lease = settings.delivery.lease
    for name, partner in settings.partners.items():
        path = f"partners.{name}.open"
        for line in partner.open:
            try:
                timetable.parse(line)
            except ValueError as error:
                yield f"{_place(sources, path)}: {path}: {error}"
        path = f"partners.{name}.deadline"
        if lease <= 2 * partner.deadline:
            set_here = "delivery.lease" if sources.get(path, "default") == "default" else path
            yield (
                f"{_place(sources, set_here)}: delivery.lease ({lease:g} s) must be more than twice {path} "
                f"({partner.deadline:g} s), else others take a key over whose document is still being sent: set delivery.lease "
                f"above {2 * partner.deadline:g}, or a shorter deadline"
            )


def _contradictions(settings: Settings, sources: Mapping[str, str]) -> Iterator[str]:
    """Values that are right one by one and wrong together, or of a form that only code can tell."""
    server = settings.server
    if server.workers > 1 and settings.store_url.startswith("sqlite"):
        yield (
            f"{_place(sources, 'server.workers')}: server.workers is {server.workers}, and the store is SQLite, which one process "
            "writes: set store.url to a PostgreSQL database, or server.workers to 1"
        )
    yield from _unfit_tls(settings, sources)
    yield from callers.unfit(settings, lambda path: _place(sources, path))
    if server.public_url:
        parts = urlsplit(server.public_url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            yield (
                f"{_place(sources, 'server.public_url')}: server.public_url must be like https://bridge.example.com/erp, "
                f"without ? and #, not {server.public_url!r}"
            )
    zones = {"contracts.zone": settings.contracts.zone}
    zones |= {f"services.{name}.zone": one.zone for name, one in settings.services.items() if one.zone}
    zones |= {f"partners.{name}.zone": one.zone for name, one in settings.partners.items() if one.zone}
    for path, zone in zones.items():
        try:
            zone_of(zone)
        except ValueError as error:
            yield f"{_place(sources, path)}: {path}: {error}"
    yield from _unfit_deliveries(settings, sources)
    for path, networks in (
        ("server.trusted_proxies", server.trusted_proxies),
        ("metrics.allow", settings.metrics.allow),
    ):
        for network in networks:
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                yield f"{_place(sources, path)}: {path}: {network!r} is no address and no network"
    if settings.metrics.port and settings.metrics.port == server.port:
        yield (
            f"{_place(sources, 'metrics.port')}: metrics.port is server.port: choose another, or leave it out to have "
            "the figures beside the services"
        )
