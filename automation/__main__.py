"""`python -m automation VERB [CLIENT...]`."""

from automation.cli import app

app()
