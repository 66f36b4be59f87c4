"""The Pulumi program: one stack is one client. See components/program.py."""

from components.program import declare

declare()
