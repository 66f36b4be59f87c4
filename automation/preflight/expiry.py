"""How long a token is still good for."""

from datetime import UTC, datetime, timedelta

from automation.preflight.finding import Finding

SOON = timedelta(days=14)


def expiring(name: str, says: str, ends: datetime | None) -> Finding:
    """A token that works, with a warning when it ends within two weeks; `ends` is None when nobody says when."""
    if ends is None:
        return Finding(name, f"{says}, no expiry told")
    says = f"{says}, until {ends:%Y-%m-%d}"
    if ends - datetime.now(UTC) < SOON:
        return Finding(name, says, "warning", "Make a new one before it expires.")
    return Finding(name, says)
