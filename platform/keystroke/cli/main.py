"""`keystroke`: the root of all commands, and the one place where errors become lines and exit codes.

Exit codes: 0 success; 1 the operation failed; 2 wrong usage or configuration; 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import click

from keystroke.cli.groups import LazyGroup
from keystroke.cli.options import debug_option
from keystroke.cli.printable import printable
from keystroke.cli.session import Session
from keystroke.errors import InvalidSettings, KeystrokeError, RequestRefused

FAILED: Final = 1
WRONG_USAGE: Final = 2
INTERRUPTED: Final = 130
_UNAUTHORIZED: Final = 401
_COMMANDS: Final = "keystroke.cli.commands"


def _show_version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if not value or context.resilient_parsing:
        return
    from importlib.metadata import version

    click.echo(f"keystroke {version('keystroke')}")
    context.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    lazy={
        "init": f"{_COMMANDS}.init:init",
        "dev": f"{_COMMANDS}.dev:dev",
        "deploy": f"{_COMMANDS}.deploy:deploy",
        "workflows": f"{_COMMANDS}.workflows:workflows",
        "history": f"{_COMMANDS}.history:history",
        "hooks": f"{_COMMANDS}.hooks:hooks",
        "notifications": f"{_COMMANDS}.notifications:notifications",
        "triggers": f"{_COMMANDS}.triggers:triggers",
        "deliveries": f"{_COMMANDS}.deliveries:deliveries",
        "secrets": f"{_COMMANDS}.secrets:secrets",
        "queues": f"{_COMMANDS}.queues:queues",
        "workers": f"{_COMMANDS}.workers:workers",
        "api": f"{_COMMANDS}.components:api",
        "worker": f"{_COMMANDS}.components:worker",
        "beat": f"{_COMMANDS}.components:beat",
        "db": f"{_COMMANDS}.db:db",
        "api-keys": f"{_COMMANDS}.api_keys:api_keys",
        "completion": f"{_COMMANDS}.completion:completion",
    },
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version.",
)
@debug_option
def keystroke() -> None:
    """Durable workflows in plain Python, on your own Celery workers, with a history of every run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and give its exit code."""
    session = Session()
    try:
        result = keystroke.main(
            list(arguments) if arguments is not None else None,
            prog_name="keystroke", standalone_mode=False, obj=session,
        )  # fmt: skip
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        _tell_usage(error)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        return _reader_gone()
    except Exception as error:  # noqa: BLE001 - the last place there is: every error ends here as a line and exit code 1
        _tell(error, session)
        return WRONG_USAGE if isinstance(error, InvalidSettings) else FAILED
    return result if isinstance(result, int) else 0


def _tell_usage(error: click.ClickException) -> None:
    """What is wrong with the command, and where to read how it is written: without click's synopsis in between."""
    click.echo(f"error: {error.format_message()}", err=True)
    context = getattr(error, "ctx", None) or click.get_current_context(silent=True)
    click.echo(
        f"`{context.command_path if context else 'keystroke'} --help` says how it is written.", err=True
    )


def _tell(error: Exception, session: Session) -> None:
    """The error as a line or two on stderr; one that nobody foresaw is said to be one."""
    if session.debug:
        import traceback

        traceback.print_exception(error)
    click.echo(printable(f"error: {_message(error, session)}"), err=True)


def _message(error: Exception, session: Session) -> str:
    if isinstance(error, RequestRefused) and error.status == _UNAUTHORIZED:
        return f"{error.detail}\nSet KEYSTROKE_API_KEY; `keystroke api-keys create NAME` makes a key."
    if isinstance(error, (KeystrokeError, OSError)):
        return str(error)
    hint = "" if session.debug else " (this is a mistake in keystroke; --debug shows where)"
    return f"{type(error).__name__}: {error}{hint}"


def _reader_gone() -> int:
    """Whoever read our output (`| head`) has enough: end quietly, and keep Python from complaining at exit."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
