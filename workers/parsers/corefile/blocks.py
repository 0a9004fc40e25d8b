"""Which server blocks does a Corefile have, once snippets and files are imported and variables are put in?

The rules are those of caddyfile's parser (coredns/caddy, caddyfile/parse.go). A server block is its keys and, for each
plugin, all words of all its lines: CoreDNS hands them to the plugin's setup as one list.
"""

from typing import NamedTuple

from workers.parsers.corefile.outside import Files, Unseen, Variables
from workers.parsers.corefile.reading import Reading
from workers.parsers.corefile.words import Word, words

MOST_SNIPPETS = 10_000
MOST_FILES = 10_000  # CoreDNS reads 100,000 before it gives up; only files that import each other come so far


class Malformed(Exception):
    """A Corefile that CoreDNS cannot read: the sentence says what stands in the way."""

    def __init__(self, sentence: str, line: int, file: str = "") -> None:
        super().__init__(sentence)
        self.line = line
        self.file = file


class Block(NamedTuple):
    """A server block as written: its keys, the line of the first, and the words of each plugin by the plugin's name."""

    keys: list[str]
    line: int
    plugins: dict[str, list[Word]]


class Blocks(NamedTuple):
    """The server blocks in order, those without keys, which serve nothing but must be right all the same, and the
    imports that could not be followed from here (pattern, line).
    """

    servers: list[Block]
    keyless: list[Block]
    unseen: list[tuple[str, int]]


def blocks(text: str, variables: Variables, files: Files) -> Blocks:
    """The server blocks of a Corefile. Raises Malformed."""
    parser = _Parser(words(text), variables, files)
    found = parser.all()
    return Blocks([one for one in found if one.keys], [one for one in found if not one.keys], parser.unseen)


class _Parser(Reading):
    def __init__(self, found: list[Word], variables: Variables, files: Files) -> None:
        super().__init__(found)
        self.variables = variables
        self.files = files
        self.snippets: dict[str, list[Word]] = {}
        self.unseen: list[tuple[str, int]] = []
        self.ended = False
        self.snippet_imports = 0
        self.file_imports = 0

    def all(self) -> list[Block]:
        """Every server block; snippets are kept for their imports."""
        found = []
        while self.next():
            line, keys = self.line, self.keys()
            block = Block(keys, line, {})
            if not self.ended:
                name = _snippet(keys)
                if name is not None:
                    self.define(name)
                    continue
                self.contents(block)
            found.append(block)
        return found

    def fail(self, sentence: str) -> Malformed:
        """The error, at this word."""
        return Malformed(sentence, self.line, self.file)

    def value(self) -> str:
        """This word with its variables put in."""
        return self.variables.put_in(self.here, self.line)

    def keys(self) -> list[str]:
        """The keys of a server block. A comma at a word's end says that another follows, perhaps on the next line."""
        found: list[str] = []
        another = False
        while True:
            key = self.value()
            if key == "import" and self.begins_line:
                self.import_here()
                if not self.next():
                    self.ended = True
                    return found
                continue
            if key == "{":
                if another:
                    raise self.fail("a comma promises another zone, and `{` follows")
                return found
            if key:
                another = key.endswith(",")
                found.append(key[:-1] if another else key)
            if not self.next():
                if another:
                    raise self.fail("a comma promises another zone, and the file ends")
                self.ended = True
                return found
            if not another and self.begins_line:
                return found

    def define(self, name: str) -> None:
        """Keep a snippet's words."""
        if name in self.snippets:
            raise self.fail(f"the snippet ({name}) is defined a second time")
        if self.here != "{":
            raise self.fail(f"the snippet ({name}) has no block: `{{` is expected, not `{self.here}`")
        body, depth = list[Word](), 1
        while self.next():
            depth += {"{": 1, "}": -1}.get(self.here, 0)
            if not depth:
                break
            body.append(self.words[self.at])
        if depth:
            raise self.fail(f"the snippet ({name}) is not closed: a `}}` is missing")
        self.snippets[name] = body
        self.forbid_itself(name, body)

    def forbid_itself(self, name: str, body: list[Word]) -> None:
        """A snippet must not import itself."""
        for place, word in enumerate(body[:-1]):
            before = body[place - 1] if place else None
            begins = before is None or before.file != word.file or before.line != word.line
            if word.text == "import" and begins:
                wanted = body[place + 1]
                if self.variables.put_in(wanted.text, wanted.line) == name:
                    raise Malformed(f"the snippet ({name}) imports itself", word.line, word.file)

    def contents(self, block: Block) -> None:
        """The plugins of a server block; its braces may be left out when it is the only one."""
        braces = self.here == "{"
        if not braces:
            self.at -= 1
        while self.next():
            if self.here == "}":
                break
            if self.here == "import":
                self.import_here()
                continue
            self.plugin(block)
        if braces and self.here != "}":
            raise self.fail(f"the server block {' '.join(block.keys)} is not closed: a `}}` is missing")

    def plugin(self, block: Block) -> None:
        """One plugin's lines. Its own words have variables put in; its name keeps them, as in CoreDNS."""
        name, opened = self.value(), self.words[self.at]
        kept = block.plugins.setdefault(name, [])
        kept.append(opened)
        depth = 0
        while self.next():
            if self.here == "{":
                depth += 1
            elif self.begins_line and not depth:
                self.at -= 1
                break
            elif self.here == "}" and depth:
                depth -= 1
            elif self.here == "}":
                raise self.fail("`}` closes nothing: no `{` is open on this line")
            elif self.here == "import" and self.begins_line:
                self.import_here()
                continue
            word = self.words[self.at]
            self.words[self.at] = word._replace(text=self.variables.put_in(word.text, word.line))
            kept.append(self.words[self.at])
        if depth:
            raise Malformed(f"the block of {name} is not closed: a `}}` is missing", opened.line, opened.file)

    def import_here(self) -> None:
        """Put the imported words in place of `import NAME`; the place is then before the first of them."""
        if not self.next_arg():
            raise self.fail("import names nothing")
        pattern = self.value()
        if not pattern:
            raise self.fail("import names nothing")
        line, start = self.line, self.at - 1
        if self.next_arg():
            raise self.fail("import takes one name")
        self.words[start : self.at + 1] = self.imported(pattern, line)
        self.at = start - 1

    def imported(self, pattern: str, line: int) -> list[Word]:
        """The words of a snippet, or of the files that match."""
        if pattern in self.snippets:
            self.snippet_imports += 1
            if self.snippet_imports > MOST_SNIPPETS:
                raise self.fail("snippets import each other without end")
            return self.snippets[pattern]
        if pattern.count("*") > 1 or pattern.count("?") > 1 or ("[" in pattern and "]" in pattern):
            raise self.fail(f"import takes a pattern with one wildcard, not {pattern}")
        self.file_imports += 1
        if self.file_imports > MOST_FILES:
            raise self.fail("files import each other without end")
        try:
            return [
                word for name in self.files.matching(pattern, self.file) for word in words(self.files.read(name), name)
            ]
        except Unseen:
            self.unseen.append((pattern, line))
            return []


def _snippet(keys: list[str]) -> str | None:
    if len(keys) == 1 and keys[0].startswith("(") and keys[0].endswith(")"):
        return keys[0][1:-1]
    return None
