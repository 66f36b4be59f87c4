"""Split SQL text into statements by Postgres's own lexical rules, and record them as the Supabase CLI does.

Two passes over the same token rules: `split` jumps from one mark that matters to the next, so that a file of many
megabytes takes seconds; `tokens` names every token of one statement, for whoever asks what that statement is.
Rules: the PostgreSQL manual, "Lexical Structure", and src/backend/parser/scan.l. Nothing here knows files or databases.
"""

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

# Every character outside ASCII is a letter to Postgres, a no-break space too.
_LETTER = r"A-Za-z_\x80-\U0010ffff"
_SPACE = r"[ \t\n\r\f\v]"
_LINE_COMMENT = r"--[^\n\r]*"
_ESCAPED = r"'[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+'"
# A string goes on behind a line break, and an escape string goes on as an escape string.
_CONTINUED = rf"(?:(?:[ \t\f\v]|{_LINE_COMMENT})*[\n\r](?:{_SPACE}|{_LINE_COMMENT}[\n\r])*{_ESCAPED})*"
_DOLLAR = rf"\$(?:[{_LETTER}][{_LETTER}0-9]*)?\$"
_RULES = {
    "string": rf"[eE]{_ESCAPED}{_CONTINUED}|(?:[uU]&|[bBxXnN])?'[^']*'(?:'[^']*')*",
    "quoted": r'(?:[uU]&)?"[^"]*"(?:"[^"]*")*',
    "word": rf"(?![eE]')[{_LETTER}][{_LETTER}0-9$]*",
    "number": rf"[0-9][0-9.{_LETTER}]*|\$[0-9]+",
    "sign": rf"[^\s{_LETTER}0-9'\"$()\\;/-]|-(?!-)|/(?!\*)",
}
# One match takes all that neither ends a statement nor opens anything, which makes `split` fast: no
# word is a token of its own here. So a quote has to look back for an E, and a dollar for the name
# it may be part of. Possessive quantifiers, or the engine of `re` would keep a frame a round.
_PLAIN = r"[^'\"$()\\;/-]+"
_NO_NAME = rf"(?<![{_LETTER}0-9$])"
_NO_LONGER_NAME = rf"(?<![{_LETTER}0-9$][eE])"
_STRING = rf"(?<=[eE]){_NO_LONGER_NAME}{_ESCAPED}{_CONTINUED}"
_ITEM = (
    rf"{_PLAIN}|{_STRING}|(?:(?<![eE])|(?<=[{_LETTER}0-9$][eE]))'[^']*'|\"[^\"]*\""
    r"|-(?!-)|/(?!\*)"
)
# A pair of parentheses without a semicolon in it, as most are, needs no count.
_RUN = rf"(?:{_ITEM}|\((?:{_ITEM})*+\))++"
_MARK = re.compile(
    rf"{_SPACE}*+(?:(?P<semicolon>;)|(?P<code>{_RUN})|(?P<left>\()|(?P<right>\))"
    rf"|(?P<comment>{_LINE_COMMENT})|(?P<block>/\*)|(?P<dollar>{_NO_NAME}{_DOLLAR})"
    r"|(?P<psql>\\(?:[A-Za-z_]+|.|$))|(?P<open>['\"])|(?P<other>\$))",
    re.DOTALL,
)
_TOKEN = re.compile(
    "|".join(rf"(?P<{name}>{rule})" for name, rule in _RULES.items())
    + rf"|(?P<dollar>{_DOLLAR})|(?P<blank>{_SPACE}+|{_LINE_COMMENT})|(?P<block>/\*)|(?P<mark>.)",
    re.DOTALL,
)
_BLOCK = re.compile(r"/\*|\*/")
_MAY_HOLD_BODY = re.compile(r"\batomic\b", re.IGNORECASE | re.ASCII)
_CREATES_ROUTINE = re.compile(r"create (?:or replace )?(?:function|procedure)\b")
_QUOTES = {"'": "quote", '"': "quoted name"}
_POSTGRES_SPACE = " \t\n\r\f\v"
# The CLI trims with JavaScript's `trim`, which takes these.
_TRIMMED = _POSTGRES_SPACE + (
    "\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
)
_LEADING = re.compile(f"[{_TRIMMED}]*")
_FOLDED = {ord(letter): letter.lower() for letter in string.ascii_uppercase}


class SqlTextError(ValueError):
    """Text that Postgres could not read as SQL.

    Args:
        what: the fault, in a few words.
        offset: the character it begins at.
    """

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(what)
        self.what, self.offset = what, offset


class PsqlCommandError(SqlTextError):
    """A command of psql, which only psql itself carries out.

    Args:
        command: the backslash and its word.
        offset: the character it begins at.
    """

    def __init__(self, command: str, offset: int) -> None:
        super().__init__(f"{command} is a command of psql, not SQL", offset)
        self.command = command


@dataclass(frozen=True, slots=True)
class Piece:
    """What lies between two semicolons; offsets count characters of the split text.

    Attributes:
        start, end: the text that the Supabase CLI records: trimmed, without its semicolon, with its comments.
        code_start, code_end: the statement itself, without the comments around it; equal where there is none.
    """

    start: int
    end: int
    code_start: int
    code_end: int

    @property
    def holds_code(self) -> bool:
        """Whether there is a statement, not comments alone."""
        return self.code_end > self.code_start


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a statement.

    Attributes:
        kind: string, quoted, word, number, sign, dollar or mark.
        text: the token as every spelling of it reads: a word in lower case, anything else as written.
        start, end: where it stands, in characters.
    """

    kind: str
    text: str
    start: int
    end: int


def split(text: str) -> Iterator[Piece]:
    """Yield the pieces of a text in order, those of comments alone too.

    Lazy, so that a caller can refuse a statement before the text behind it is read: rows of COPY
    are no SQL.

    Raises:
        SqlTextError: a quote, comment, parenthesis or BEGIN ATOMIC is never closed, or a backslash
            stands in code.
    """
    begin = _skip_trimmed(text, 0)
    while begin < len(text):
        stop, code_start, code_end = _statement(text, begin)
        # In the CLI's order: the semicolons, also those that end a comment at the end of the
        # file, then the white space.
        end = begin + len(text[begin:stop].rstrip(";").rstrip(_TRIMMED))
        if end > begin:
            yield Piece(begin, end, min(code_start, end), min(code_end, end))
        begin = _skip_trimmed(text, stop)


def statements(text: str) -> list[str]:
    """Return the statements of a text without the comments and white space around them.

    Raises:
        SqlTextError: as `split` does.
    """
    return [text[piece.code_start : piece.code_end] for piece in split(text) if piece.holds_code]


def tokens(text: str, start: int = 0, end: int | None = None) -> Iterator[Token]:
    """Yield the tokens of a statement that `split` has found, without white space and comments."""
    position, stop = start, len(text) if end is None else end
    while position < stop and (match := _TOKEN.match(text, position, stop)):
        kind, first = str(match.lastgroup), position
        position = match.end()
        if kind == "block":
            position = _block_end(text, first)
        elif kind == "dollar":
            position = _dollar_end(text, first, match[0])
        if kind not in {"blank", "block"}:
            found = text[first:position]
            yield Token(kind, _lower(found) if kind == "word" else found, first, position)


def _statement(text: str, begin: int) -> tuple[int, int, int]:
    """Find where a statement stops, behind its semicolon, and where its code begins and ends."""
    code_start = code_end = -1
    opened: list[int] = []
    body = _AtomicBody(text)
    stop = len(text)
    for kind, first, last in _marks(text, begin):
        if kind == "semicolon" and not opened and (code_start < 0 or body.ends(code_start, first)):
            stop = last
            break
        if kind == "left":
            opened.append(first)
        elif kind == "right":
            del opened[-1:]
        if code_start < 0:
            code_start = first
        code_end = last
    else:
        if opened:
            raise SqlTextError("a parenthesis is never closed", opened[-1])
        body.require_end()
    if code_start < 0:
        return stop, stop, stop
    return stop, code_start, code_start + len(text[code_start:code_end].rstrip(_POSTGRES_SPACE))


def _marks(text: str, position: int) -> Iterator[tuple[str, int, int]]:
    """Yield kind, start and end of what stands outside comments: left, right, semicolon, code."""
    while match := _MARK.match(text, position):
        kind = str(match.lastgroup)
        first, position = match.span(kind)
        if kind == "block":
            position = _block_end(text, first)
        elif kind == "dollar":
            position = _dollar_end(text, first, match["dollar"])
        elif kind == "psql":
            raise PsqlCommandError(match["psql"], first)
        elif kind == "open":
            raise SqlTextError(f"a {_QUOTES[match['open']]} is never closed", first)
        if kind not in {"comment", "block"}:
            yield kind, first, position


class _AtomicBody:
    """The BEGIN ATOMIC body of a routine: its semicolons end no statement of the file.

    The body ends with an END that stands where one of its statements would begin. Any other END,
    of a CASE or as a column label, is part of a statement.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._inner: int | None = None  # where the body's next statement begins

    def ends(self, code_start: int, semicolon: int) -> bool:
        """Whether the file's statement that begins at `code_start` ends at this semicolon."""
        if self._inner is None:
            self._inner = self._find(code_start, semicolon)
        if self._inner is None or self._closed():
            return True
        self._inner = semicolon + 1
        return False

    def require_end(self) -> None:
        """Refuse a body that the end of the text cuts off."""
        if self._inner is not None and not self._closed():
            raise SqlTextError("a BEGIN ATOMIC is never closed", self._start)

    def _closed(self) -> bool:
        token = next(tokens(self._text, self._inner or 0), None)
        return token is not None and (token.kind, token.text) == ("word", "end")

    def _find(self, code_start: int, semicolon: int) -> int | None:
        """Find the place behind BEGIN ATOMIC in a statement that creates a routine."""
        if not _MAY_HOLD_BODY.search(self._text, code_start, semicolon):
            return None
        found = list(tokens(self._text, code_start, semicolon))
        if not _CREATES_ROUTINE.match(" ".join(token.text for token in found[:4])):
            return None
        depth = 0
        for token, following in pairwise(found):
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            if depth == 0 and (token.text, following.text) == ("begin", "atomic"):
                self._start = token.start
                return following.end
        return None


def _block_end(text: str, start: int) -> int:
    depth, position = 0, start
    while match := _BLOCK.search(text, position):
        position = match.end()
        depth += 1 if match[0] == "/*" else -1
        if depth == 0:
            return position
    raise SqlTextError("a comment is never closed", start)


def _dollar_end(text: str, start: int, delimiter: str) -> int:
    end = text.find(delimiter, start + len(delimiter))
    if end < 0:
        raise SqlTextError(f"a dollar quote {delimiter} is never closed", start)
    return end + len(delimiter)


def _skip_trimmed(text: str, position: int) -> int:
    match = _LEADING.match(text, position)
    return match.end() if match else position


def _lower(word: str) -> str:
    """Fold an identifier as Postgres does: ASCII alone."""
    return word.translate(_FOLDED)
