"""Who may make and change things: on one's own machine whoever opens the page, else the owner.

    access = access_of("0.0.0.0", "me:secret")
    access.owns(request)            # logged in as the owner, or nobody else can reach the page

Shared is a page on a Space, or one that listens beyond this machine. Its owner is the first name of
``--auth`` (NAME:PASSWORD, several with blanks between; all must log in then), on a Space whoever it
belongs to, logged in there. Callbacks that make or change something are made by :func:`guarded`.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec

import gradio as gr

from roleplay.errors import UsageError
from roleplay.proxies import is_loopback
from roleplay.stages.archive import Limits
from roleplay.ui.common import shown

P = ParamSpec("P")

_EVERYWHERE = ("", "0.0.0.0", "::", "[::]")
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Access:
    """``logins`` are (name, password) pairs; ``owner`` the name that may change things."""

    shared: bool = False
    owner: str = ""
    logins: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:  # without passwords
        return f"Access(shared={self.shared}, owner={self.owner!r})"

    def owns(self, request: gr.Request | None) -> bool:
        """Whether who asks may make and change things."""
        return not self.shared or bool(self.owner and user_of(request) == self.owner)

    @property
    def limits(self) -> Limits:
        """What an uploaded zip may hold."""
        return Limits(size=500 * _MEGABYTE, members=5000) if self.shared else Limits()

    @property
    def largest_file(self) -> str:
        """The largest upload, as Gradio takes it."""
        return "100mb" if self.shared else "2gb"


OWN_MACHINE = Access()


def access_of(host: str, auth: str = "") -> Access:
    """By the address that is listened on, ``--auth``, and what a Space says of itself.

    Raises:
        UsageError: ``auth`` is of another form.
    """
    logins = []
    for one in auth.split():
        name, mark, password = one.partition(":")
        if not (name and mark and password):
            raise UsageError("access.auth")
        logins.append((name, password))
    on_space = bool(os.environ.get("SPACE_ID"))
    owner = logins[0][0] if logins else os.environ.get("SPACE_AUTHOR_NAME", "") if on_space else ""
    # To listen on every address is to listen beyond this machine.
    beyond = host in _EVERYWHERE or not is_loopback(host)
    return Access(on_space or beyond, owner, tuple(logins))


def has_space_login() -> bool:
    """Whether this is a Space that people can log in to."""
    return bool(os.environ.get("SPACE_ID") and os.environ.get("OAUTH_CLIENT_ID"))


def user_of(request: gr.Request | None) -> str:
    """The name that who asks is logged in by, empty for nobody."""
    if request is None:
        return ""
    if name := getattr(request, "username", None):
        return str(name)
    # What Gradio's own login button leaves in the session.
    session = getattr(getattr(request, "request", None), "scope", {}).get("session") or {}
    return str(session.get("oauth_info", {}).get("userinfo", {}).get("preferred_username", ""))


def guarded(access: Access, callback: Callable[P, Any]) -> Callable[P, Any]:
    """A callback for the owner alone; its errors appear as one line, as of :func:`shown`."""

    @wraps(callback)
    def checked(*args: P.args, **kwargs: P.kwargs) -> Any:
        values = (*args, *kwargs.values())
        if not access.owns(next((one for one in values if hasattr(one, "headers")), None)):
            raise UsageError("access.owner")
        return callback(*args, **kwargs)

    return shown(checked)
