"""What exists: checks, remedies, queries, and the faults with their sentences in two languages?

Importing a check registers nothing: each declares itself by one value at the end of its file, and the loader here
lists the packages. It refuses what is declared wrongly, with a message that names the file.
"""

import functools
import importlib
import importlib.resources
import pkgutil
import string
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import yaml

import workers.checks
import workers.core.evidence
import workers.remedies
from workers.core.declare import Check, Remedy
from workers.core.errors import BadDeclaration
from workers.core.finding import Finding, Offer, Param, Severity
from workers.core.plan import Refusal
from workers.core.query import Query

LANGUAGES = ("en", "zh")
TYPES = ("text", "number", "time", "list")  # `time`: Unix seconds, said as HH:MM:SS UTC
Texts = dict[str, str]  # language -> text
Choice = dict[str, Texts]  # value -> its words; `other` for every value that is not listed (plurals)
Files = Iterable[tuple[str, Any]]  # (file, what it declares)


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One named way to be broken, as its file says it.

    params: name -> one of TYPES, or the words for each value. A sentence names params in braces; the words of a
    choice may do so, too: its own name is then its plain value, and choices declared above it are in words.
    look_alikes: fault id -> how to tell them apart. no_remedy: reason id -> why nothing is offered.
    """

    id: str
    area: str
    severity: Severity
    title: Texts
    params: dict[str, str | Choice]
    sentence: Texts
    advice: dict[str, tuple[str, ...]]
    look_alikes: dict[str, Texts] = {}
    remedies: tuple[str, ...] = ()
    no_remedy: dict[str, Texts] = {}
    sources: tuple[str, ...] = ()
    guide: tuple[str, ...] = ()

    def say(self, finding: Finding, lang: str = "en") -> str:
        """The finding's sentence: plain text, not escaped for any surface. A param that is missing is said as `?`."""
        return self.fill(self.sentence[lang], finding.params, lang)

    def why_no_remedy(self, finding: Finding, lang: str = "en") -> str:
        """Why the finding offers nothing; empty when there is nothing to say."""
        texts = self.no_remedy.get(finding.no_remedy)
        return self.fill(texts[lang], finding.params, lang) if texts else ""

    def advise(self, finding: Finding, lang: str = "en") -> tuple[str, ...]:
        """What to do by hand, a sentence each."""
        return tuple(self.fill(line, finding.params, lang) for line in self.advice[lang])

    def fill(self, text: str, params: Mapping[str, Param], lang: str) -> str:
        """`text` with its params in words."""
        plain = {name: _plain(params[name], kind) if name in params else "?" for name, kind in self.params.items()}
        spoken = dict(plain)
        for name, kind in self.params.items():
            if isinstance(kind, dict):
                words = kind.get(plain[name], kind.get("other"))
                spoken[name] = words[lang].format_map({**spoken, name: plain[name]}) if words else plain[name]
        return text.format_map(spoken)

    def wrong(self, finding: Finding) -> list[str]:
        """What a finding's params lack or have wrongly, by what this file declares: for tests."""
        found = [f"{name} is missing" for name in self.params if name not in finding.params]
        for name, value in finding.params.items():
            kind = self.params.get(name)
            if kind is None:
                found.append(f"{name} is not declared")
            elif isinstance(kind, dict):
                if str(value) not in kind and "other" not in kind:
                    found.append(f"{name} has no words for {value}")
            elif not isinstance(value, {"text": str, "list": tuple}.get(kind, int | float)):
                found.append(f"{name} is no {kind}: {value!r}")
        return found


def _plain(value: Param, kind: str | Choice) -> str:
    if kind == "time" and isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC).strftime("%H:%M:%S UTC")
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


class Catalogue(msgspec.Struct, frozen=True):
    """All that is declared, by id, name or tag."""

    checks: dict[str, Check]
    remedies: dict[str, Remedy]
    faults: dict[str, Fault]
    queries: dict[str, type[Query[Any]]]

    def checks_for(self, command: str) -> tuple[Check, ...]:
        """The checks that a command runs, in the order of their ids."""
        return tuple(check for _, check in sorted(self.checks.items()) if command in check.commands)

    def say(self, finding: Finding, lang: str = "en") -> str:
        """A finding's sentence; its id when no such fault is known (another release found it)."""
        fault = self.faults.get(finding.id)
        return fault.say(finding, lang) if fault else finding.id

    def refusal_text(self, remedy: str, refusal: Refusal, lang: str = "en") -> str:
        """Why a remedy is not planned, as a plain sentence."""
        known = self.remedies.get(remedy)
        texts = known.refusals.get(refusal.reason) if known else None
        return texts[lang].format_map(_Lenient(refusal.params)) if texts else refusal.reason

    def offer_text(self, offer: Offer, lang: str = "en") -> str:
        """What an offered remedy would do, a phrase of plain text."""
        known = self.remedies.get(offer.remedy)
        return known.title[lang].format_map(_Lenient(offer.args)) if known else offer.remedy


class _Lenient(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


@functools.cache
def load() -> Catalogue:
    """Everything that this installation has. Raises BadDeclaration that names the file."""
    return build(
        checks=_declared(workers.checks, "CHECK"),
        remedies=_declared(workers.remedies, "REMEDY"),
        faults=_fault_files(),
        queries=query_types(),
    )


@functools.cache
def query_types() -> dict[str, type[Query[Any]]]:
    """Every kind of query, by its tag."""
    found: dict[str, type[Query[Any]]] = {}
    for file, module in _modules(workers.core.evidence):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Query) and value.__module__ == module.__name__:
                tag = value.__struct_config__.tag
                if not isinstance(tag, str) or not isinstance(getattr(value, "answer", None), type):
                    raise BadDeclaration(f"{file}: the query {value.__name__} needs a tag and an answer")
                _add(found, tag, value, file)
    return found


def build(*, checks: Files, remedies: Files, faults: Files, queries: Mapping[str, type[Query[Any]]]) -> Catalogue:
    """A catalogue of what these files declare. Raises BadDeclaration that names the file."""
    known_faults: dict[str, Fault] = {}
    for file, raw in faults:
        fault = _fault(file, raw)
        _add(known_faults, fault.id, fault, file)
    known_remedies: dict[str, Remedy] = {}
    for file, remedy in remedies:
        _check_remedy(file, remedy, known_faults)
        _add(known_remedies, remedy.name, remedy, file)
    known_checks: dict[str, Check] = {}
    for file, check in checks:
        _check_check(file, check, known_faults)
        _add(known_checks, check.id, check, file)
    for remedy in known_remedies.values():
        if remedy.check not in known_checks:
            raise BadDeclaration(f"remedy {remedy.name}: there is no check {remedy.check}")
    for fault in known_faults.values():
        for name in fault.remedies:
            if name not in known_remedies:
                raise BadDeclaration(f"fault {fault.id}: there is no remedy {name}")
    return Catalogue(known_checks, known_remedies, known_faults, dict(queries))


def _add(known: dict[str, Any], name: str, value: Any, file: str) -> None:
    if name in known:
        raise BadDeclaration(f"{file}: {name} is declared a second time")
    known[name] = value


def _modules(package: Any) -> Iterator[tuple[str, Any]]:
    for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not info.ispkg:
            yield info.name.replace(".", "/") + ".py", importlib.import_module(info.name)


def _declared(package: Any, name: str) -> Iterator[tuple[str, Any]]:
    for file, module in _modules(package):
        value = getattr(module, name, None)
        if value is None:
            raise BadDeclaration(f"{file}: it declares no {name}")
        yield file, value


def _fault_files() -> Iterator[tuple[str, Any]]:
    root = importlib.resources.files("workers") / "faults"
    for area in sorted(root.iterdir(), key=lambda entry: entry.name):
        if area.is_dir() and not area.name.startswith("_"):
            for entry in sorted(area.iterdir(), key=lambda entry: entry.name):
                if entry.name.endswith(".yaml"):
                    yield f"workers/faults/{area.name}/{entry.name}", entry.read_text(encoding="utf-8")


def _check_check(file: str, check: Check, faults: Mapping[str, Fault]) -> None:
    folder, _, name = file.removesuffix(".py").rpartition("/")
    expected = f"{folder.rpartition('/')[2]}.{name}".replace("_", "-")
    if check.id != expected:
        raise BadDeclaration(f"{file}: the check is named {check.id}, and its file says {expected}")
    for fault in check.faults:
        if fault not in faults:
            raise BadDeclaration(f"{file}: no file under workers/faults declares the fault {fault}")


def _check_remedy(file: str, remedy: Remedy, faults: Mapping[str, Fault]) -> None:
    expected = file.removesuffix(".py").rpartition("/")[2].replace("_", "-")
    if remedy.name != expected:
        raise BadDeclaration(f"{file}: the remedy is named {remedy.name}, and its file says {expected}")
    if remedy.fault not in faults:
        raise BadDeclaration(f"{file}: no file under workers/faults declares the fault {remedy.fault}")
    for name, texts in {"title": remedy.title, "cannot_undo": remedy.cannot_undo, **remedy.refusals}.items():
        if texts is not None:
            _languages(file, name, texts)


def _languages(file: str, what: str, texts: Mapping[str, Any]) -> None:
    if sorted(texts) != sorted(LANGUAGES):
        raise BadDeclaration(f"{file}: {what} needs a text in each of {', '.join(LANGUAGES)}")


def _fault(file: str, raw: str) -> Fault:
    try:
        fault = msgspec.convert(yaml.safe_load(raw), type=Fault)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise BadDeclaration(f"{file}: {error}") from error
    if not file.endswith(f"/{fault.area}/{fault.id}.yaml"):
        raise BadDeclaration(f"{file}: it declares {fault.area}/{fault.id}")
    for name, kind in fault.params.items():
        if isinstance(kind, str) and kind not in TYPES:
            raise BadDeclaration(f"{file}: param {name} is none of {', '.join(TYPES)}: {kind}")
    _languages(file, "advice", fault.advice)
    for what, texts in _texts(fault):
        _languages(file, what, texts)
        for text in texts.values():
            _placeholders(file, what, text, fault)
    for lang, lines in fault.advice.items():
        for line in lines:
            _placeholders(file, f"advice ({lang})", line, fault)
    return fault


def _texts(fault: Fault) -> Iterator[tuple[str, Texts]]:
    yield "title", fault.title
    yield "sentence", fault.sentence
    for name, kind in fault.params.items():
        if isinstance(kind, dict):
            for value, words in kind.items():
                yield f"param {name}, {value}", words
    for other, words in fault.look_alikes.items():
        yield f"look-alike {other}", words
    for reason, words in fault.no_remedy.items():
        yield f"no_remedy {reason}", words


def _placeholders(file: str, what: str, text: str, fault: Fault) -> None:
    """Only plain names in braces: no attributes, indexes or formats, so that a param is only ever text."""
    try:
        fields = [(name, spec, conversion) for _, name, spec, conversion in string.Formatter().parse(text)]
    except ValueError as error:
        raise BadDeclaration(f"{file}: {what}: {error}") from error
    for name, spec, conversion in fields:
        if name is not None and (name not in fault.params or spec or conversion):
            raise BadDeclaration(f"{file}: {what} names the unknown param {{{name}}}")
