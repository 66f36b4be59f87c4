"""The client's GitHub repository: starter files, default branch, ruleset and what its workflow reads.

Everything inside the repository is `deleted_with` it: destroying costs one request instead of one per file, and an
archived repository keeps its content.
"""

from collections.abc import Mapping

import pulumi
import pulumi_github as github

from components.find_existing import API_VARIABLE
from components.group import Group
from components.settings import ClientSettings
from components.starter import STARTER, read_starter

BRANCH = "main"


class GitHub(Group):
    """The step `github`: a private repository from `starter/`, or from the settings' template repository.

    Args:
        client: the client's `ClientEnvironment`.
        settings: the client's settings, already checked.
        api_url: the project's API URL, for the repository's workflow.
        publishable_key: the project's publishable key, for the same.

    Attributes:
        full_name: `owner/name`.
        html_url: address for people.
        content: the resources that put the first commit's content on the default branch.
        commits: the newest commit of each of its files.

    Raises:
        OperatorError: the starter folder is missing or empty, or a file in it is not text.
    """

    def __init__(
        self,
        client: pulumi.Resource,
        settings: ClientSettings,
        *,
        api_url: pulumi.Input[str],
        publishable_key: pulumi.Input[str],
    ) -> None:
        super().__init__(client)
        template = settings.repository_template
        files = {} if template else read_starter(STARTER)
        # What it began with is settled at its creation; another template must not replace it.
        once = ("autoInit", "template")
        repository = _repository(settings, self.options("repository", protect=settings.protect, ignore_changes=once))
        inside = self.options(deleted_with=repository)
        # Accounts may call their first branch otherwise; files and ruleset need a known name.
        branch = github.BranchDefault(
            "default-branch", repository=repository.name, branch=BRANCH, rename=True, opts=inside
        )
        content = _files(repository, files, self._after(branch, inside))
        if settings.ruleset:
            _ruleset(repository, self._after(branch, inside))
        for name, variable, value in (
            ("actions-api-url", API_VARIABLE, api_url),
            ("actions-publishable-key", "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY", publishable_key),
        ):
            github.ActionsVariable(name, repository=repository.name, variable_name=variable, value=value, opts=inside)
        self.full_name: pulumi.Output[str] = repository.full_name
        self.html_url: pulumi.Output[str] = repository.html_url
        self.content: tuple[pulumi.Resource, ...] = (branch, *content)
        self.commits: tuple[pulumi.Output[str], ...] = tuple(file.commit_sha for file in content)
        self.register_outputs({})

    @staticmethod
    def _after(branch: pulumi.Resource, opts: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=branch))


def _repository(settings: ClientSettings, opts: pulumi.ResourceOptions) -> github.Repository:
    template = settings.repository_template
    return github.Repository(
        "repository",
        name=settings.project_name,
        description=settings.repository_description,
        visibility="private",
        auto_init=None if template else True,
        template=_template(template) if template else None,
        has_issues=True,
        has_projects=False,
        has_wiki=False,
        delete_branch_on_merge=True,
        # The plugin's defaults, declared: else each refresh shows them as a difference from the program.
        allow_merge_commit=True,
        allow_rebase_merge=True,
        allow_squash_merge=True,
        merge_commit_title="MERGE_MESSAGE",
        merge_commit_message="PR_TITLE",
        squash_merge_commit_title="COMMIT_OR_PR_TITLE",
        squash_merge_commit_message="COMMIT_MESSAGES",
        archive_on_destroy=settings.archive_on_destroy,
        opts=opts,
    )


def _template(full_name: str) -> github.RepositoryTemplateArgs:
    owner, _, name = full_name.partition("/")
    return github.RepositoryTemplateArgs(owner=owner, repository=name)


def _files(
    repository: github.Repository, files: Mapping[str, str], opts: pulumi.ResourceOptions
) -> tuple[github.RepositoryFile, ...]:
    # A client begins with the starter and goes its own way: what its developers write is neither drift nor undone.
    # Nor does a file that was imported take a commit for the sake of how it would have been created.
    begun = pulumi.ResourceOptions(ignore_changes=["content", "commitMessage", "overwriteOnCreate"])
    return tuple(
        github.RepositoryFile(
            f"starter/{path}",
            repository=repository.name,
            branch=BRANCH,
            file=path,
            content=text,
            commit_message=f"Update {path}",
            # The first commit that GitHub makes holds a README of its own.
            overwrite_on_create=True,
            opts=pulumi.ResourceOptions.merge(opts, begun),
        )
        for path, text in files.items()
    )


def _ruleset(repository: github.Repository, opts: pulumi.ResourceOptions) -> None:
    # Neither rule stands in the way of an ordinary push, so file resources need no exception from them.
    github.RepositoryRuleset(
        "ruleset",
        name="default-branch",
        repository=repository.name,
        target="branch",
        enforcement="active",
        conditions=github.RepositoryRulesetConditionsArgs(
            ref_name=github.RepositoryRulesetConditionsRefNameArgs(includes=["~DEFAULT_BRANCH"], excludes=[])
        ),
        rules=github.RepositoryRulesetRulesArgs(deletion=True, non_fast_forward=True),
        opts=opts,
    )
