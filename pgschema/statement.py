"""One SQL statement of a migration: what it is, whether it can be repeated, and why it may be refused."""

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from pgschema.lexer import Token, split, tokens

ALONE = "-- transaction: none"
HEAD = 16  # tokens that tell what a statement is; one with rows may have millions
BARE = {"word", "sign", "mark", "number"}  # kinds of tokens without quotes
WHOLE = {"alter", "copy", "drop", "reindex"}  # of these, later tokens matter too

# A name among tokens that are joined by single spaces; `NAMES` is one with its schema.
NAME = r'(?:[^ "\'().,]+|"(?:[^"]|"")+")'
NAMES = rf"{NAME}(?: \. {NAME})?"
# What may run alone can be repeated: an interrupted run is continued by the next.
REPEATABLE = tuple(
    re.compile(pattern)
    for pattern in (
        rf"create (?:unique )?index concurrently if not exists (?P<index>{NAME})"
        rf" on (?:only )?(?P<table>{NAMES}) ",
        rf"drop index concurrently if exists {NAMES}(?: cascade| restrict)?$",
        rf"alter table (?:if exists )?(?:only )?{NAMES}(?: \*)? validate constraint {NAME}$",
        rf"alter type {NAMES} add value (?:if not exists )?''(?: (?:before|after) '')?$",
    )
)

OUR_TRANSACTION = "Each apply is one transaction of ours."
ROWS = "Write the rows as INSERT, or load them with a script of its own."
OF_ITS_OWN = (
    "It cannot run inside a transaction: write it with IF NOT EXISTS or IF EXISTS, and give it a"
    f" file of its own whose first line is {ALONE}"
)
DETACH = "It cannot run inside a transaction, nor be repeated: leave CONCURRENTLY out."
MAINTENANCE = "It cannot run inside a transaction and defines nothing: run it by hand in each database."
_REFUSED = (
    # The first word, what follows it, the words to show where not those, and the remedy.
    # These end or bypass the one transaction of an apply, or fail in the CLI's batches.
    ("begin|commit|rollback|abort|end|savepoint|release|lock", "", "", OUR_TRANSACTION),
    ("start|prepare", " transaction", "", OUR_TRANSACTION),
    ("set", " local", "", OUR_TRANSACTION),
    ("copy", " .*?from stdin", "COPY FROM STDIN", ROWS),
    ("copy", " .*?to stdout", "COPY TO STDOUT", "A migration has nobody to give rows to."),
    ("create", " (?:unique )?index concurrently", "", OF_ITS_OWN),
    ("drop", " index concurrently", "", OF_ITS_OWN),
    ("vacuum", "", "", MAINTENANCE),
    ("alter", " system", "", MAINTENANCE),
    ("create|drop", " (?:database|tablespace)", "", MAINTENANCE),
    ("reindex", " .*?concurrently", "REINDEX CONCURRENTLY", MAINTENANCE),
    ("reindex", r" (?:\( .*? \) )?(?:schema|database|system)", "REINDEX", MAINTENANCE),
    ("alter", " table .*? detach partition .*? concurrently", "DETACH PARTITION CONCURRENTLY", DETACH),
)
REFUSED = {
    word: [
        (re.compile(rf"{word}{rest}(?= |$)"), shown, remedy)
        for words, rest, shown, remedy in _REFUSED
        if word in words.split("|")
    ]
    for word in "|".join(row[0] for row in _REFUSED).split("|")
}
FIRST_WORD = re.compile("[a-z]+", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Refusal:
    """Why a statement does not belong into a migration.

    Attributes:
        what: the words that are refused.
        remedy: what to write instead.
    """

    what: str
    remedy: str


@dataclass(frozen=True)
class Statement:
    """One SQL statement, as the ledger records it.

    Attributes:
        text: the statement with the comments around it, without its semicolon.
        offset: where `text` begins in its file, in characters.
        code: where the statement itself begins and ends in `text`, without the comments around it; found when it is
            not given.
    """

    text: str
    offset: int
    code: tuple[int, int] = (-1, -1)

    def __post_init__(self) -> None:
        if self.code[0] < 0:
            piece = next((each for each in split(self.text) if each.holds_code), None)
            object.__setattr__(self, "code", (piece.code_start, piece.code_end) if piece else (0, 0))

    @property
    def code_start(self) -> int:
        """Where the statement itself begins in its file."""
        return self.offset + self.code[0]

    @property
    def code_text(self) -> str:
        """The statement without the comments around it."""
        return self.text[self.code[0] : self.code[1]]

    @cached_property
    def repeatable(self) -> re.Match[str] | None:
        """The match that says that it may run outside a transaction, else None.

        Where it builds an index, the groups `index` and `table` are the names as written, quoted or not, for
        Postgres's own functions to read.
        """
        words = " ".join("''" if each.kind == "string" else each.text for each in self._tokens)
        return next((found for each in REPEATABLE if (found := each.match(words))), None)

    @property
    def in_transaction(self) -> str:
        """The statement as it may run inside a transaction, each character in its place."""
        return self._without_concurrently if self.repeatable else self.text

    @property
    def outside_transaction(self) -> str:
        """The statement as it may run outside a transaction, however often."""
        words = [token.text for token in self._tokens]
        if self.repeatable is None or words[:2] != ["alter", "type"] or "if" in words:
            return self.text
        # Behind the name, which may be called `value` itself.
        place = self._tokens[words.index("value", words.index("add", 3))].end
        return f"{self.text[:place]} if not exists{self.text[place:]}"

    @property
    def refusal(self) -> Refusal | None:
        """Why it may not run inside the transaction of an apply, or None."""
        first = FIRST_WORD.match(self.text, self.code[0])
        rules = REFUSED.get(first[0].lower()) if first else None
        if not rules:  # most statements, where there are many
            return None
        found = self._tokens
        # What stands in quotes is no keyword.
        words = " ".join(each.text if each.kind in BARE else "''" for each in found)
        for pattern, shown, remedy in rules:
            if match := pattern.match(words):
                as_written = found[: match[0].count(" ") + 1]
                written = " ".join(self.text[each.start : each.end] for each in as_written)
                return Refusal(shown or written, remedy)
        return None

    @property
    def _without_concurrently(self) -> str:
        for token in self._tokens:
            if (token.kind, token.text) == ("word", "concurrently"):
                blank = " " * (token.end - token.start)
                return self.text[: token.start] + blank + self.text[token.end :]
        return self.text

    @cached_property
    def _tokens(self) -> list[Token]:
        """All tokens of a statement whose end matters, else the first ones."""
        found = tokens(self.text, *self.code)
        head = list(islice(found, HEAD))
        return [*head, *found] if head and head[0].text in WHOLE else head
