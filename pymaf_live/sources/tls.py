"""Encrypted and protected addresses: whom to trust, and why a server refused."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import av
import av.error

_PORTS = {"https": 443, "rtsps": 322}
_TIMEOUT = 5.0


def ca_file() -> str:
    """Return the file of the certificate authorities that this system trusts; '' if unknown."""
    system = ssl.get_default_verify_paths().cafile
    if system:
        return system
    try:
        import certifi
    except ImportError:
        return ""
    return str(Path(certifi.where()))


def ffmpeg_options(*, insecure: bool) -> dict[str, str]:
    """Return the options with which FFmpeg checks a server's certificate; by default some do not.

    Parameters
    ----------
    insecure : bool
        Accept every certificate.
    """
    if insecure:
        return {"tls_verify": "0"}
    trusted = ca_file()
    return {"tls_verify": "1", **({"ca_file": trusted} if trusted else {})}


def opencv_options(*, insecure: bool) -> str:
    """Return the same options, and OpenCV's own default, as it reads them from the environment."""
    options = {"rtsp_transport": "tcp", **ffmpeg_options(insecure=insecure)}
    return "|".join(f"{name};{value}" for name, value in options.items())


def reason_of_refusal(address: str, *, insecure: bool) -> str:
    """Return why a server cannot be read, if it says so: untrusted, or not with this password.

    Contacts the server again; for use after a failure only.
    """
    untrusted = "" if insecure else _certificate_problem(address)
    if untrusted:
        return f"has a certificate that is not trusted ({untrusted})"
    try:
        with av.open(address, options=ffmpeg_options(insecure=insecure), timeout=_TIMEOUT):
            return ""
    except av.error.HTTPUnauthorizedError:
        return "refuses: wrong user name or password"
    except (av.error.FFmpegError, OSError, ValueError):
        return ""


def _certificate_problem(address: str) -> str:
    parts = urlsplit(address)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if parts.scheme.lower() not in _PORTS or not host:
        return ""
    context = ssl.create_default_context(cafile=ca_file() or None)
    try:
        with (
            socket.create_connection((host, port or _PORTS[parts.scheme.lower()]), _TIMEOUT) as raw,
            context.wrap_socket(raw, server_hostname=host),
        ):
            return ""
    except ssl.SSLCertVerificationError as error:
        return error.verify_message or "it cannot be verified"
    except (OSError, ValueError):
        return ""
