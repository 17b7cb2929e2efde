"""Where the files of a tree of tiles lie: a folder, an archive, or an address on the local network.

A store gives bytes by the name of a file inside of it, with slashes and relative to its root. No
name leads out of it: what a tileset says is resolved and checked here, for every kind alike.
"""

from __future__ import annotations

import http.client
import ipaddress
import posixpath
import socket
import ssl
import threading
import time
import zipfile
from abc import ABC, abstractmethod
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from plumbline.core.errors import InputError
from plumbline.core.i18n import tr

#: Largest file that is taken out of a store; tiles are megabytes.
MAX_BYTES = 1 << 30
#: Files in an archive, and how many times larger than packed one of them may be: text packs to a
#: tenth, a bomb to a thousandth. What is small anyway may be packed tighter.
MAX_MEMBERS, MAX_RATIO, SMALL = 5_000_000, 200, 1 << 20
#: Seconds for an answer to begin, and for all of it to be there.
TIMEOUT, DEADLINE = 10.0, 120.0
#: Redirects on the same host that are followed.
MAX_REDIRECTS = 3
_BLOCK = 1 << 16


class Store(ABC):
    """Files by name; every method may be called from any thread."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Return the bytes of a file.

        Raises
        ------
        OSError
            If it is not there or does not answer.
        ValueError
            If it is too large.
        """

    def local(self, name: str) -> Path | None:
        """Return where a file lies on this machine, None where it does not."""
        return None

    def resolve(self, base: str, uri: str) -> str:
        """Return the name of the file that a file in the folder `base` names.

        Raises
        ------
        ValueError
            If it does not lie in the store.
        """
        plain = unquote(uri.partition("?")[0].partition("#")[0]).replace("\\", "/")
        name = posixpath.normpath(posixpath.join(base, plain))
        foreign = "://" in plain or plain.startswith("/") or ":" in plain[:2] or "\0" in plain
        if foreign or not plain or name.split("/")[0] == "..":
            raise ValueError(tr("“{name}” is not in the folder of the tileset", name=plain[-80:]))
        return name


class FolderStore(Store):
    """The files in a folder and below; links that lead out of it are not followed."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def local(self, name: str) -> Path:
        """Return the path of a file, which must lie in the folder."""
        path = (self.root / name).resolve()
        if not path.is_relative_to(self.root):
            raise ValueError(tr("“{name}” is not in the folder of the tileset", name=name[-80:]))
        return path

    def read(self, name: str) -> bytes:
        """Return the bytes of a file."""
        path = self.local(name)
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(tr("it is larger than 1 GiB"))
        return path.read_bytes()


class ZipStore(Store):
    """The files in an archive (``.3tz``, ``.zip``), unpacked one by one within limits."""

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path)
        self._lock = threading.Lock()
        held = self._archive.infolist()
        if len(held) > MAX_MEMBERS:
            raise ValueError(tr("it holds more than {n} files", n=MAX_MEMBERS))
        self._members = {one.filename.replace("\\", "/"): one for one in held if not one.is_dir()}

    @property
    def names(self) -> list[str]:
        """Names of all files, in order."""
        return sorted(self._members)

    def read(self, name: str) -> bytes:
        """Return the bytes of a file."""
        member = self._members.get(name)
        if member is None:
            raise FileNotFoundError(2, tr("it is not in the archive"), name)
        limit = min(MAX_BYTES, max(SMALL, MAX_RATIO * member.compress_size))
        if member.file_size > limit:
            raise ValueError(tr("it unpacks to far more than it holds"))
        try:
            # One reader of an archive at a time: its file has one place to read from.
            with self._lock, self._archive.open(member) as stream:
                raw = stream.read(limit + 1)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
            raise ValueError(str(error)) from error
        if len(raw) > limit:
            raise ValueError(tr("it unpacks to far more than it holds"))
        return raw


class HttpStore(Store):
    """The files below an address on the local network.

    The name of the host is looked up once, and only addresses that belong to no one on the
    internet are asked. An answer has to begin and to end in time, and stay within its size.
    Redirects lead to the same host, below the same folder, or nowhere.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise _refused(url, tr("it is no address of http or https"))
        self._secure, self._host = parts.scheme == "https", parts.hostname
        self._port = parts.port or (443 if self._secure else 80)
        self._netloc = parts.netloc.rpartition("@")[2]
        self._folder = posixpath.dirname(parts.path) + "/"
        self._query = parts.query
        self._address = _local_address(url, self._host, self._port)

    def read(self, name: str) -> bytes:
        """Return the bytes of a file."""
        target = quote(self._folder.rstrip("/") + "/" + name, safe="/%~!$&'()*+,;=:@")
        target += f"?{self._query}" if self._query else ""
        for _ in range(MAX_REDIRECTS + 1):
            status, location, raw = self._ask(target)
            if status == 200:
                return raw
            if status not in (301, 302, 303, 307, 308):
                raise OSError(tr("the host answers {status}", status=status))
            target = self._redirected(target, location)
        raise OSError(tr("the host sends from one place to the next"))

    def _redirected(self, target: str, location: str) -> str:
        """Return where a redirect leads on the same host."""
        parts = urlsplit(location)
        scheme = "https" if self._secure else "http"
        same = not parts.netloc or (parts.netloc, parts.scheme) == (self._netloc, scheme)
        here = posixpath.dirname(urlsplit(target).path)
        path = posixpath.normpath(posixpath.join(here, parts.path))
        if not same or not location or not path.startswith(quote(self._folder)):
            raise OSError(tr("the host sends to another place"))
        return path + (f"?{parts.query}" if parts.query else "")

    def _ask(self, target: str) -> tuple[int, str, bytes]:
        """Return status, location and body of one answer."""
        connection = _Connection(self._host, self._port, self._address, self._secure)
        until = time.monotonic() + DEADLINE
        try:
            connection.request(
                "GET", target, headers={"Host": self._netloc, "Accept-Encoding": "identity"}
            )
            answer = connection.getresponse()
            location = answer.getheader("Location") or ""
            if answer.status != 200:
                return answer.status, location, b""
            return 200, "", _body(answer, until)
        except http.client.HTTPException as error:
            raise OSError(tr("the host answers with something else than HTTP")) from error
        finally:
            connection.close()


class _Connection(http.client.HTTPConnection):
    """A connection to the address that was checked, whatever the name leads to by now."""

    def __init__(self, host: str, port: int, address: str, secure: bool) -> None:
        super().__init__(host, port, timeout=TIMEOUT)
        self._address, self._secure = address, secure

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), TIMEOUT)
        if self._secure:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self.host)


def _body(answer: http.client.HTTPResponse, until: float) -> bytes:
    """Return the body of an answer within its limits; a host may send a byte a minute."""
    if (answer.length or 0) > MAX_BYTES:
        raise ValueError(tr("it is larger than 1 GiB"))
    parts: list[bytes] = []
    size = 0
    while block := answer.read1(_BLOCK):
        parts.append(block)
        size += len(block)
        if size > MAX_BYTES:
            raise ValueError(tr("it is larger than 1 GiB"))
        if time.monotonic() > until:
            raise OSError(tr("the host takes too long"))
    if answer.length:
        raise OSError(tr("it is cut off"))
    return b"".join(parts)


def _local_address(url: str, host: str, port: int) -> str:
    """Return the address of a host on this machine or the local network.

    Raises
    ------
    InputError
        If the host is not known, or on the internet.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _refused(url, tr("the host “{host}” is not known here", host=host)) from error
    addresses = [str(one[4][0]).partition("%")[0] for one in found]
    for text in addresses:
        address = ipaddress.ip_address(text)
        if (address.is_private or address.is_loopback or address.is_link_local) and not (
            address.is_unspecified or address.is_multicast
        ):
            return text
    raise _refused(url, tr("the host “{host}” is not on the local network", host=host))


def _refused(url: str, why: str) -> InputError:
    return InputError(
        tr("“{url}” cannot be opened: {why}.", url=url[:120], why=why),
        tr("Tilesets are opened from this machine or the local network; copy others here first."),
    )
