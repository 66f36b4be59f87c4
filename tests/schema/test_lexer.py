"""The lexer against Postgres's own rules and what the official CLI recorded for the same texts."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgschema.lexer import PsqlCommandError, SqlTextError, split, statements, tokens


def recorded(text: str) -> list[str]:
    return [text[piece.start : piece.end] for piece in split(text)]


# Each was given to `supabase migration repair` (3.1.0), which recorded these pieces.
AS_THE_CLI = {
    "a comment behind the last semicolon": ("select 1;\n-- the end\n", ["select 1", "-- the end"]),
    "comments on the line of a semicolon": (
        "select 1; -- one\nselect 2; -- two\n",
        ["select 1", "-- one\nselect 2", "-- two"],
    ),
    "empty statements": ("  select 1 ;  ; ;; select 2  ", ["select 1", "select 2"]),
    "a comment between semicolons": ("select 1; /* x */ ;\nselect 2", ["select 1", "/* x */", "select 2"]),
    "a semicolon that ends the last comment": ("select 1;\n-- foo;", ["select 1", "-- foo"]),
    "semicolons before the last line break": ("select 1; -- foo;;\n", ["select 1", "-- foo;;"]),
    "white space of JavaScript": ("a;\xa0b\u2003;\ufeffc\u3000;\u2028d;\x85e", ["a", "b", "c", "d", "\x85e"]),
    "a quote with a semicolon": ("select 'a''b;c'; select 2", ["select 'a''b;c'", "select 2"]),
    "a quoted name": ('select "a""b;c"; d', ['select "a""b;c"', "d"]),
    "an escape string": (r"select E'it\'s; x'; select 2;", [r"select E'it\'s; x'", "select 2"]),
    "an escape string that goes on": ("select E'a' \n 'b\\'; c'; d", ["select E'a' \n 'b\\'; c'", "d"]),
    "no escapes in a plain string": (r"select 'x\'; select 2", [r"select 'x\'", "select 2"]),
    "a name that ends with e": (r"select ee'\'; b", [r"select ee'\'", "b"]),
    "a Unicode string": (r"select U&'\'; b", [r"select U&'\'", "b"]),
    "dollar quotes": ("select $$a;b$$; select $a$ $$;$b$ $a$; x", ["select $$a;b$$", "select $a$ $$;$b$ $a$", "x"]),
    "a tag outside ASCII": ("select $é$ ; $é$; b", ["select $é$ ; $é$", "b"]),
    "dollars in a name": ("select foo$bar$baz; select 2; x$bar$; y", ["select foo$bar$baz", "select 2", "x$bar$", "y"]),
    "parameters": ("select $1; select $2", ["select $1", "select $2"]),
    "a nested comment": (
        "/* outer /* inner; */ still outer; */ select 1;\nselect 2;",
        ["/* outer /* inner; */ still outer; */ select 1", "select 2"],
    ),
    "a quote in a comment": ("select 1 -- it's\n; b /* ' */; c", ["select 1 -- it's", "b /* ' */", "c"]),
    "operators": ("select a #> b -> c - -1 / 2; d", ["select a #> b -> c - -1 / 2", "d"]),
    "a comment behind an operator": ("select 1/-- a;b\n2; c", ["select 1/-- a;b\n2", "c"]),
    "a column named begin": (
        "create table t (id int primary key, begin timestamptz, finish timestamptz); select 1",
        ["create table t (id int primary key, begin timestamptz, finish timestamptz)", "select 1"],
    ),
    "an added column named begin": (
        "alter table t add column begin date; y",
        ["alter table t add column begin date", "y"],
    ),
    "a rule of two statements": (
        "create rule r as on insert to a do also (select 1; select 2); b",
        ["create rule r as on insert to a do also (select 1; select 2)", "b"],
    ),
    "a body with CASE": (
        "create function f() returns int begin atomic select case when a then (case b when 1 then 2 end) end; select 1;"
        " end; x",
        [
            "create function f() returns int begin atomic select case when a then (case b when 1 then 2 end) end;"
            " select 1; end",
            "x",
        ],
    ),
    "a body with END as a label": (
        "create function f() returns int begin atomic select 1 as end; select 2; end; x",
        ["create function f() returns int begin atomic select 1 as end; select 2; end", "x"],
    ),
    "an empty body": (
        "create or replace procedure f() begin atomic end; x",
        ["create or replace procedure f() begin atomic end", "x"],
    ),
    "a body in a string": (
        "create function f() language plpgsql as 'begin atomic; x; end'; y",
        ["create function f() language plpgsql as 'begin atomic; x; end'", "y"],
    ),
}
# Valid SQL that the CLI cuts where Postgres does not, so that it cannot push it: ours follows Postgres.
AS_POSTGRES = {
    "a rule with parentheses inside": (
        "create rule r as on insert to a do (insert into b values (1); select 2); select 3",
        ["create rule r as on insert to a do (insert into b values (1); select 2)", "select 3"],
    ),
    "a comment in BEGIN ATOMIC": (
        "create function f() returns int begin /* c */ atomic select 1; end; x",
        ["create function f() returns int begin /* c */ atomic select 1; end", "x"],
    ),
    "a column begin with the label atomic": ("select begin atomic from t; x", ["select begin atomic from t", "x"]),
}


@pytest.mark.parametrize(
    ("text", "expected"), [*AS_THE_CLI.values(), *AS_POSTGRES.values()], ids=[*AS_THE_CLI, *AS_POSTGRES]
)
def test_pieces_are_those_that_the_cli_records_where_it_follows_postgres(text: str, expected: list[str]) -> None:
    assert recorded(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "select 1",
        " -- why\nselect 1",
        "/* a */ select 1 -- b\n",
        "select 1-- b\n;",
        "select 1 /* c */ /* d /* e */ */;\n",
    ],
)
def test_a_statement_is_its_code_without_the_comments_around_it(text: str) -> None:
    assert statements(text) == ["select 1"]


def test_comments_inside_a_statement_and_a_body_belong_to_it() -> None:
    text = "create table a ( -- the key\n  id int\n)"
    body = "do $$ begin /* why */ perform 1; end $$"
    assert statements(f"-- head\n{text};\n{body};-- end") == [text, body]


@pytest.mark.parametrize(
    ("text", "what", "place"),
    [
        ("select 'a; b", "a quote is never closed", 7),
        (r"select E'a\'; b", "a quote is never closed", 8),
        ('select "a; b', "a quoted name is never closed", 7),
        ("select 1; /* a /* b */ c", "a comment is never closed", 10),
        ("do $a$ begin; end $b$;", "a dollar quote $a$ is never closed", 3),
        ("select (1, (2); select 3", "a parenthesis is never closed", 7),
        ("create function f() returns int begin atomic select 1; select 2;", "a BEGIN ATOMIC is never closed", 32),
    ],
)
def test_what_is_never_closed_is_named_with_its_beginning(text: str, what: str, place: int) -> None:
    with pytest.raises(SqlTextError, match=re.escape(what)) as refused:
        list(split(text))
    assert refused.value.offset == place


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("\\restrict abc\nselect 1;", "\\restrict"),
        ("select 1;\n\\connect other", "\\connect"),
        ("select 1 \\gset", "\\gset"),
        ("select 1 \\; select 2", "\\;"),
    ],
)
def test_commands_of_psql_are_recognised(text: str, command: str) -> None:
    with pytest.raises(PsqlCommandError) as refused:
        list(split(text))
    assert (refused.value.command, text[refused.value.offset :].startswith(command)) == (command, True)


def test_what_stands_behind_a_statement_is_not_read_before_it_is_asked_for() -> None:
    assert statements("copy a from stdin")
    assert next(split("copy a from stdin;\n1\tit's\n\\.\n")).code_end == len("copy a from stdin")


def test_tokens_have_no_comments_and_words_in_lower_case() -> None:
    found = [(token.kind, token.text) for token in tokens("Create /* a */ INDEX \"I\" -- b\n on é.T ('x', $$;$$, 1.5)")]
    assert found == [
        *(("word", text) for text in ("create", "index")),
        ("quoted", '"I"'),
        *(("word", text) for text in ("on", "é")),
        ("sign", "."),
        ("word", "t"),
        ("mark", "("),
        ("string", "'x'"),
        ("sign", ","),
        ("dollar", "$$;$$"),
        ("sign", ","),
        ("number", "1.5"),
        ("mark", ")"),
    ]


STATEMENTS = st.sampled_from(
    [
        "select 1",
        "select 'a;b' || E'it\\'s; ' || U&'\\0041;'",
        'create table "a;b" (begin int, "end" text default \'--\')',
        "do $body$ begin; -- it's;\n perform '$$'; end $body$",
        "create function f() returns int begin atomic select case when true then 1 end; select (2); end",
        "create rule r as on insert to a do (insert into b values (1); select 2)",
        "insert into a values (1, $$;$$), (2, '/*')",
        "select a #>> '{b;c}', c -> 'd', 5 - -1, 4 / 2, $1, é$b$, [1]",
        "select /* inside; /* nested */ */ 1 -- and; here\n + 2",
    ]
)
SPACE = st.text(" \n\t\f\v", max_size=3)
COMMENT = st.sampled_from(["-- it's; a (comment\n", "/* a; ' $$ /* b */ ( */", "--\n", "/**/"])
AROUND = st.lists(SPACE | COMMENT, max_size=4).map("".join)


@given(st.lists(st.tuples(AROUND, STATEMENTS, AROUND), max_size=6), st.sampled_from(["", ";", "; -- end\n"]))
def test_statements_joined_with_any_comments_and_white_space_come_back(
    parts: list[tuple[str, str, str]], end: str
) -> None:
    text = ";".join(f"{before}{statement}{after}" for before, statement, after in parts) + end
    assert statements(text) == [statement for _, statement, _ in parts]
    # Recording what was recorded changes nothing: `supabase migration fetch` writes it back so.
    assert recorded("".join(f"{piece}\n;\n" for piece in recorded(text))) == recorded(text)


@given(st.text("ab'\"$;()-/*\\\n Ee&Uu1"))
def test_of_any_text_that_is_split_nothing_but_semicolons_and_white_space_is_lost(text: str) -> None:
    try:
        pieces = list(split(text))
    except SqlTextError:
        return
    ends = [0]
    for piece in pieces:
        assert ends[-1] <= piece.start <= piece.code_start <= piece.code_end <= piece.end
        assert text[ends[-1] : piece.start].strip(" \n;") == ""
        ends.append(piece.end)
    assert text[ends[-1] :].strip(" \n;") == ""
