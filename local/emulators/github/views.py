"""What GitHub shows of its things: people, and the addresses that every answer about a repository carries."""

import re

from local.emulators.github.state import number
from local.emulators.store import Document

API = "https://api.github.com"
WEB = "https://github.com"
PERSON = """followers following{/other_user} gists{/gist_id} starred{/owner}{/repo} subscriptions repos
    events{/privacy} received_events"""
ORGANIZATION_LINKS = "repos events hooks issues members{/member} public_members{/member}"
# name of the field without `_url` -> its path below the repository's own, where that is not the name itself
INSIDE = """archive=/{archive_format}{/ref} assignees{/user} blobs=/git/blobs{/sha} branches{/branch}
    collaborators{/collaborator} comments{/number} commits{/sha} compare/{base}...{head} contents/{+path} contributors
    deployments downloads events forks git_commits=/git/commits{/sha} git_refs=/git/refs{/sha} git_tags=/git/tags{/sha}
    hooks issue_comment=/issues/comments{/number} issue_events=/issues/events{/number} issues{/number} keys{/key_id}
    labels{/name} languages merges milestones{/number} notifications{?since,all,participating} pulls{/number}
    releases{/id} stargazers statuses/{sha} subscribers subscription tags teams trees=/git/trees{/sha}"""


def addresses(base: str, names: str) -> Document:
    """`name_url` -> address, for names such as `keys{/key_id}`; `name=/path` where the path is another."""
    found = {}
    for name in names.split():
        field, _, path = name.partition("=")
        field = re.match(r"\w+", field)[0]  # type: ignore[index]  # every name begins with letters
        found[f"{field}_url"] = f"{base}{path or f'/{name}'}"
    return found


def person(login: str, kind: str = "User") -> Document:
    """A user or an organization as other things refer to it."""
    own = {"login": login, "id": number(login), "node_id": f"U_{number(login)}", "type": kind, "site_admin": False}
    url = f"{API}/users/{login}"
    avatar = {"avatar_url": f"https://avatars.githubusercontent.com/u/{own['id']}", "gravatar_id": ""}
    links = {"url": url, "html_url": f"{WEB}/{login}", "organizations_url": f"{url}/orgs"}
    return {**own, **avatar, **links, **addresses(url, PERSON)}


def organization_as_owner(login: str) -> Document:
    """An organization as memberships and its own page refer to it."""
    url = f"{API}/orgs/{login}"
    return {
        "login": login,
        "id": number(login),
        "node_id": f"O_{number(login)}",
        "url": url,
        "avatar_url": f"https://avatars.githubusercontent.com/u/{number(login)}",
        "description": None,
        **addresses(url, ORGANIZATION_LINKS),
    }


def places(full_name: str) -> Document:
    """Every address of a repository."""
    url, page = f"{API}/repos/{full_name}", f"{WEB}/{full_name}"
    return {
        "url": url,
        "html_url": page,
        "clone_url": f"{page}.git",
        "git_url": f"git://github.com/{full_name}.git",
        "ssh_url": f"git@github.com:{full_name}.git",
        "svn_url": page,
        "mirror_url": None,
        **addresses(url, INSIDE),
    }
