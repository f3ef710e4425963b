"""The proxies of the environment, as the HTTP clients here can use them.

    mend("192.168.0.7")        # ["all_proxy"]: socks4://127.0.0.1:7891 is taken out

Proxy tools set http_proxy, https_proxy and all_proxy for every program. httpx, and with it the page
and the hub's client, ends with a traceback where one of them is of a kind that it does not know,
and asks the proxy even for this machine's own address.
"""

import os
from importlib.util import find_spec
from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies

_OWN = ("localhost", "127.0.0.1", "::1", "0.0.0.0")
_SOCKS = ("socks5", "socks5h")


def mend(*own: str) -> list[str]:
    """Make the environment's proxies such as can be used; the variables that had to be taken out.

    This machine, and its other addresses ``own``, are asked without one.
    """
    found, left_out = getproxies(), []
    for name in (f"{scheme}_proxy" for scheme in ("http", "https", "all")):
        if given := found.get(name.removesuffix("_proxy")):
            os.environ.pop(name.upper(), None)
            os.environ.pop(name, None)
            # Also where Windows or macOS gave it: theirs counts no more once no_proxy is set.
            if proxy := _usable(given):
                os.environ[name] = proxy
            else:
                left_out.append(name)
    if found:
        exempt = [part.strip() for part in found.get("no", "").split(",") if part.strip()]
        told = ",".join(dict.fromkeys([*exempt, *_OWN, *own]))
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = told
    return left_out


def is_loopback(host: str) -> bool:
    """Whether a host of an address is this machine."""
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def _usable(proxy: str) -> str | None:
    """The proxy as httpx takes it; None where it cannot."""
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    # What desktop settings write for SOCKS of any version; today's proxies speak the fifth.
    proxy = proxy.replace("socks://", "socks5://", 1) if proxy.startswith("socks://") else proxy
    try:
        parts = urlsplit(proxy)
        known = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    socks = parts.scheme in _SOCKS and find_spec("socksio") is not None
    return proxy if known and (socks or parts.scheme in ("http", "https")) else None
