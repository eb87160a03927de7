"""Why a command cannot be carried out before any server was asked. Docstrings are the message, as in `keystroke.errors`."""

from __future__ import annotations

from keystroke.errors import KeystrokeError


class NoTarget(KeystrokeError):
    """No local server runs for this directory: start one with `keystroke dev`, or name one with --target URL."""

    code = "no-target"


class NoProfile(KeystrokeError):
    """There is no profile {target}: nobody has signed in. Name the server by its URL (--target https://…) and set KEYSTROKE_API_KEY."""

    code = "no-profile"


class ProjectNotNamed(KeystrokeError):
    """Which project? {projects} Name one with --project SLUG, or run the command in the project's directory."""

    code = "project-not-named"


class ValueNotThere(KeystrokeError):
    """There is no {field} in the answer: {part} is not there. There are: {available}"""

    code = "value-not-there"


class NoAddress(KeystrokeError):
    """The trigger {slug} is a {kind}: only webhooks have an address that is posted to."""

    code = "no-address"


class NoProjectHere(KeystrokeError):
    """There is no keystroke.toml in {directory}: go to a project, name one with --project DIR, or make one with `keystroke init DIR`."""

    code = "no-project-here"


class DirectoryNotEmpty(KeystrokeError):
    """{directory} is not empty: `keystroke init` writes into a new or empty directory only."""

    code = "directory-not-empty"


class QuickstartMissing(KeystrokeError):
    """This installation lacks the quickstart (looked at {places}): install keystroke anew."""

    code = "quickstart-missing"


class ComponentMissing(KeystrokeError):
    """This installation lacks {component}: {why}. Install keystroke anew."""

    code = "component-missing"
