"""Options that several commands share, and the arguments that complete themselves in a shell."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from keystroke.cli.session import session_of

if TYPE_CHECKING:
    from keystroke.client import Client

Completion = Callable[[click.Context, click.Parameter, str], list[str]]
Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Put a given option into the session; one that was not given leaves what stood before the command."""
    if value not in (None, False) and parameter.name is not None:
        setattr(session_of(context), parameter.name, value)


def _session_option(*names: str, help: str, **attributes: Any) -> Callable[[Decorated], Decorated]:
    return click.option(*names, expose_value=False, callback=_keep, help=help, **attributes)


debug_option = _session_option("--debug", is_flag=True, help="Show tracebacks of errors.")
target_option = _session_option(
    "--target", metavar="local|URL", help="The server to talk to; else KEYSTROKE_TARGET, else the local one."
)
project_option = _session_option(
    "--project", metavar="SLUG", help="The project; else that of this directory, else the server's only one."
)
_output_options = (
    _session_option(
        "--output", type=click.Choice(["table", "json", "yaml"]), help="Else: table on a terminal, else JSON."
    ),
    _session_option("--field", metavar="PATH", help="Print one value, such as output.brief."),
    _session_option("--summary", is_flag=True, help="Print the short form."),
)


def output_options(command: Decorated) -> Decorated:
    """`--output`, `--field`, `--summary`, `--debug`."""
    for option in (debug_option, *reversed(_output_options)):
        command = option(command)
    return command


def remote_options(command: Decorated) -> Decorated:
    """What every command that asks a server takes: the target, and the options of the output."""
    return target_option(output_options(command))


def completing(slugs: Callable[[Client, str], list[str]]) -> Completion:
    """Completes what `slugs` lists of a project; nothing when no server answers, since a completion must not complain."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        from keystroke.cli.session import Session
        from keystroke.cli.target import find_project
        from keystroke.errors import KeystrokeError

        session = context.find_object(Session) or Session()
        try:
            target = session.find_target()
            with session.connect(target) as client:
                known = slugs(client, find_project(session.project, target, client))
        except (KeystrokeError, click.ClickException):
            return []
        return [slug for slug in known if slug.startswith(incomplete)]

    return complete


def _workflow_slugs(client: Client, project: str) -> list[str]:
    return [str(workflow["slug"]) for workflow in client.list_workflows(project)]


slug_argument = click.argument("slug", shell_complete=completing(_workflow_slugs))
run_argument = click.argument("run_id", metavar="RUN")
