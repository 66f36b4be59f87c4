"""What a scoped access token needs for each route, by the names that the published contract gives."""

import re

PROJECT = "/v1/projects/[^/]+"
# Path -> the area; reading it needs `<area>_read`, anything else `<area>_write`.
AREAS = {
    "/v1/organizations": "organizations",
    "/v1/organizations/[^/]+(/entitlements)?": "organization_admin",
    "/v1/organizations/[^/]+/projects": "organization_projects",
    "/v1/projects": "projects",
    f"{PROJECT}(/health|/pause|/restore)?": "project_admin",
    f"{PROJECT}/api-keys(/.*)?": "api_gateway_keys",
    f"{PROJECT}/config/database/pooler": "database_pooling_config",
    f"{PROJECT}/config/auth": "auth_config",
    f"{PROJECT}/(database/password|config/database/postgres)": "database_config",
    f"{PROJECT}/secrets": "edge_functions_secrets",
    f"{PROJECT}/branches(/.*)?": "branching_production",
    f"{PROJECT}/(database/query|cli/login-role)": "database",
    f"{PROJECT}/network-restrictions(/apply)?": "database_network_restrictions",
    f"{PROJECT}/ssl-enforcement": "database_ssl_config",
    f"{PROJECT}/postgrest": "data_api_config",
    f"{PROJECT}/billing/addons(/.*)?": "infra_add_ons",
    f"{PROJECT}/analytics/endpoints/logs": "analytics_logs",
}
OPEN = "/v1/projects/available-regions"  # any token may ask


def needed(method: str, path: str) -> str:
    """The permission that a request needs; empty when any token will do."""
    if path == OPEN:
        return ""
    if (method, path) == ("POST", "/v1/projects"):
        return "organization_projects_create"
    area = next((area for pattern, area in AREAS.items() if re.fullmatch(pattern, path)), "")
    return area and f"{area}_{'read' if method == 'GET' else 'write'}"
