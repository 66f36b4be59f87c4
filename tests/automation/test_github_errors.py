"""What GitHub refuses, as the plugin words it, and the one line that an operator reads of it."""

import pytest

from automation.github_errors import explained

URN = "urn:pulumi:acme::client-environments::client-environments:index:ClientEnvironment$github:index/{0}::{1}"
REPOSITORY = URN.format("repository:Repository", "repository")
BASE = "http://127.0.0.1:8080/api/v3"
FORMS = (
    "sdk-v2/provider2.go:571: sdk.helper_schema: {}: provider=github@6.14.1",
    "1 error occurred: * {}",
    "updating {urn}: 1 error occurred: * {} ",
)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_plugins_message_is_the_same_line(form: str) -> None:
    answer = f"PATCH {BASE}/repos/agency/site: 401 Bad credentials []"
    assert explained(form.format(answer, urn=REPOSITORY), REPOSITORY) == (
        "GitHub PATCH /repos/agency/site: 401 Bad credentials."
        " Set GITHUB_TOKEN to a token that is valid and has not expired."
    )


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (
            "POST {}/orgs/a/repos: 422 Repository creation failed. [{{Resource:Repository Field:name Code:custom"
            " Message:name already exists on this account}}]",
            "POST /orgs/a/repos: 422 name already exists on this account. Nothing proves that it is this client's",
        ),
        (
            "POST {}/repos/a/s/branches/develop/rename: 422 Branch main already exists []",
            "Make main the default branch",
        ),
        (
            "POST {}/repos/a/s/rulesets: 403 Upgrade to GitHub Pro or make this repository public. []",
            "Set ruleset: false",
        ),
        ("PUT {}/repos/a/s/contents/x: 403 You have exceeded a secondary rate limit. []", "with fewer clients at once"),
        ("PUT {}/repos/a/s/contents/x: 429 Too many requests []", "Wait some minutes and run it again"),
        ("PATCH {}/repos/a/s: 403 Repository was archived so is read-only. []", "read-only. Unarchive it on GitHub"),
        ("DELETE {}/repos/a/s: 403 Must have admin rights to Repository. []", "scopes repo, workflow and (to delete)"),
        ("PUT {}/repos/a/s/contents/.github/workflows/check.yml: 404 Not Found []", "without the scope workflow"),
        ("PATCH {}/repos/a/s: 404 Not Found []", "correct GITHUB_OWNER"),
        ("GET {}/repos/a/s/actions/variables/X: 404 Not Found []", "check GITHUB_OWNER and the scope repo"),
        ("POST {}/repos/a/s/actions/variables: 409 Already exists - Variable already exists []", "was made by hand"),
        ("PUT {}/repos/a/s/contents/x: 409 x does not match []", "the next run goes on from there"),
        ("PUT {}/repos/a/s/contents/x: 502  []", "PUT /repos/a/s/contents/x: 502. Run it again."),
        (
            "PUT {}/repos/a/s/contents/x: 409 Repository rule violations found Changes must be made through a pull"
            " request. []",
            "bypass list. Running again does not help",
        ),
        ("PUT {}/repos/a/s/contents/x: 409 Required status check 'ci' is expected. []", "bypass list"),
        ("PUT {}/repos/a/s/contents/x: 409 Changes must be made through the merge queue []", "bypass list"),
        ("PUT {}/repos/a/s/contents/x: 422 At least one approving review is required. []", "bypass list"),
        ("POST {}/repos/a/s/git/refs: 422 Cannot create ref due to creations being restricted. []", "bypass list"),
        ("PUT {}/repos/a/s/contents/x: 409 Commit message must match a regex pattern []", "bypass list"),
        ("PUT {}/repos/a/s/contents/x: 409 Required workflow 'lint' is expected []", "bypass list"),
        (
            "POST {}/orgs/a/repos: 422 Repository creation failed. [{{Resource:Repository Field:name Code:custom"
            " Message:Repository name must match the organization's pattern}}]",
            "choose another projectName. Running again does not help",
        ),
        ("POST {}/orgs/a/repos: 422 Repository rule violations found []", "let an owner make an exception"),
        ("PUT {}/repos/a/s: 403 Resource not accessible by personal access token []", "lacks a permission: a fine-"),
        ("PATCH {}/repos/a/s: 403 Resource not accessible by integration []", "lacks a permission"),
        ("GET {}/orgs/a: 403 The organization requires two-factor authentication. []", "turn it on for the account"),
        (
            "POST {}/user/repos: 403 As an Enterprise Managed User, you cannot access this content []",
            "The organization's policy refuses this kind of token",
        ),
        ("PUT {}/repos/a/s/contents/x: 403 was submitted too quickly []", "with fewer clients at once"),
        ("GET {}/repos/a/s: 403 Repository access blocked []", "blocked or locked it"),
        ("GET {}/repos/a/s: 451 Unavailable due to DMCA takedown. []", "blocked or locked it"),
        ("PATCH {}/repos/a/s: 403 Upgrade to GitHub Pro to enable this feature. []", "plan does not have it"),
        ("PATCH {}/repos/a/s: 422 The branch main was not found. Please push that ref first. []", "Make the branch"),
        ("GET {}/repos/a/s/contents/x: 404 No commit found for the ref main []", "Make the branch main on GitHub"),
        ("POST {}/orgs/a/repos: 404 Not Found []", "correct GITHUB_OWNER"),
        ("PUT {}/repos/a/s/contents/x: 422 Commits must have verified signatures. []", "bypass list"),
        (
            "PUT {}/repos/a/s/contents/x: 409 Secret detected in content []",
            "Remove the secret from that file of starter/",
        ),
        ("GET {}/orgs/a: 403 Resource protected by organization SAML enforcement. []", "Configure SSO"),
        (
            "GET {}/orgs/a: 403 Although you appear to have the correct authorization credentials, the `a` organization"
            " has an IP allow list enabled, and your IP address is not permitted to access this resource. []",
            "IP allow list, or let an owner add this one",
        ),
        (
            "GET {}/orgs/a: 403 `a` forbids access via a personal access token (classic). []",
            "The organization's policy refuses this kind of token",
        ),
        ("POST {}/repos/o/t/generate: 404 Not Found []", "correct repositoryTemplate"),
        ("PUT {}/repos/a/s/contents/x: 404 Branch main not found []", "Make the branch main on GitHub"),
        (
            "POST {}/orgs/a/repos: 422 Repository creation failed. [{{Resource:Repository Field:visibility Code:custom"
            " Message:Visibility can't be private}}]",
            "an owner changes that under Member privileges",
        ),
        ("PUT {}/repos/a/s/rulesets/1: 422 Something new. []", "Correct on GitHub what it refuses"),
        ("unexpected EOF", "GitHub: no whole answer (unexpected EOF). Run it again."),
        ('Post "{}/orgs/a/repos": EOF', "POST /orgs/a/repos: no whole answer (EOF). Run it again. What is made stays"),
    ],
)
def test_each_refusal_says_what_to_do(answer: str, line: str) -> None:
    found = explained(FORMS[0].format(answer.format(BASE)), REPOSITORY)
    assert line in found
    assert found.startswith("GitHub")
    assert not any(noise in found for noise in ("127.0.0.1", "sdk-v2", "provider=", "[", ".."))


def test_what_is_not_an_answer_of_github_stays_as_it_is() -> None:
    message = "repository is protected and cannot be deleted"
    assert explained(message, REPOSITORY) == message
    theirs = f"POST {BASE}/orgs/a/repos: 401 Bad credentials []"
    assert explained(theirs, "urn:pulumi:acme::client-environments::vercel:index/project:Project::site") == theirs
