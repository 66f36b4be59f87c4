"""Organizations and the regions they may use."""

from typing import Any
from uuid import UUID

from local.emulators.rest import RefusedError
from local.emulators.supabase.calls import ORGANIZATION, Call, route
from local.emulators.supabase.project import SIZES

PLAN = "pro"
PAUSABLE = True  # whether the plan lets projects be paused
REGIONS = {
    "us-east-1": "East US (North Virginia)",
    "us-east-2": "East US (Ohio)",
    "us-west-1": "West US (North California)",
    "us-west-2": "West US (Oregon)",
    "ca-central-1": "Canada (Central)",
    "sa-east-1": "South America (São Paulo)",
    "eu-west-1": "West EU (Ireland)",
    "eu-west-2": "West Europe (London)",
    "eu-west-3": "West EU (Paris)",
    "eu-central-1": "Central EU (Frankfurt)",
    "eu-central-2": "Central Europe (Zurich)",
    "eu-north-1": "North EU (Stockholm)",
    "ap-south-1": "South Asia (Mumbai)",
    "ap-southeast-1": "Southeast Asia (Singapore)",
    "ap-southeast-2": "Oceania (Sydney)",
    "ap-northeast-1": "Northeast Asia (Tokyo)",
    "ap-northeast-2": "Northeast Asia (Seoul)",
    "ap-east-1": "East Asia (Hong Kong)",
}
# Smart group -> the region where its projects land.
GROUPS = {"americas": "us-east-1", "emea": "eu-west-2", "apac": "ap-southeast-1"}
GROUP_NAMES = {"americas": "Americas", "emea": "Europe, Middle East and Africa", "apac": "Asia-Pacific"}


def known(slug: str) -> str:
    """The slug, if the token sees that organization."""
    if slug != ORGANIZATION:
        raise RefusedError(404, "Organization not found")
    return slug


def _list(call: Call) -> Any:
    return [{"id": ORGANIZATION, "slug": ORGANIZATION, "name": "Local Agency"}]


def _get(call: Call) -> Any:
    known(call.path["slug"])
    answer = {"id": ORGANIZATION, "name": "Local Agency", "plan": PLAN}
    return answer | {"opt_in_tags": [], "allowed_release_channels": ["ga"]}


def _entitlements(call: Call) -> Any:
    """What the plan allows: on the free one neither add-ons nor another size than the smallest."""
    known(call.path["slug"])
    paid = PLAN != "free"
    sets = {
        "instances.compute_update_available_sizes": [f"ci_{size}" for size in SIZES[1:]],
        "pitr.available_variants": ["pitr_7", "pitr_14", "pitr_28"],
    }
    chosen = [_entitlement(key, "set", paid, {"set": values if paid else []}) for key, values in sets.items()]
    switches = {"ipv4": paid, "project_pausing": PAUSABLE}
    return {"entitlements": [*chosen, *(_entitlement(key, "boolean", on, {}) for key, on in switches.items())]}


def _entitlement(key: str, kind: str, allowed: bool, more: dict[str, Any]) -> dict[str, Any]:
    feature = {"key": key, "type": kind}
    return {"feature": feature, "hasAccess": allowed, "type": kind, "config": {"enabled": allowed, **more}}


def _regions(call: Call) -> Any:
    known(call.query.get("organization_slug", ""))
    groups = [{"name": name, "code": code, "type": "smartGroup"} for code, name in GROUP_NAMES.items()]
    specific = [{"name": name, "code": code, "type": "specific", "provider": "AWS"} for code, name in REGIONS.items()]
    recommended = {"smartGroup": groups[1], "specific": specific[6:8]}
    return {"recommendations": recommended, "all": {"smartGroup": groups, "specific": specific}}


def _profile(call: Call) -> Any:
    return {"gotrue_id": str(UUID(int=1)), "primary_email": "local-user@agency.example", "username": "local-user"}


ROUTES = [
    route("GET", "/v1/profile", _profile),
    route("GET", "/v1/organizations", _list),
    route("GET", "/v1/organizations/{slug}", _get),
    route("GET", "/v1/organizations/{slug}/entitlements", _entitlements),
    route("GET", "/v1/projects/available-regions", _regions),
]
