"""Zip archives that somebody else may have made: checked as a whole before anything in them is read.

Nothing here unpacks an archive to disk. What is refused: members that are encrypted, links or devices, that share a
name or bytes with another one, whose names lead out of a folder, or that unpack to far more than the archive holds.
"""

import io
import os
import re
import stat
import struct
import threading
import zipfile
import zlib

from zoo.core import reading
from zoo.core.errors import DataError, DataNotFoundError, ZooError

MEMBERS = 2**20
# An archive that unpacks to more than this many bytes, and to more than so many times its own size, is a bomb.
# Deflate reaches 1,032 times with zeros; photographs stay near 1 time, drawings and black images below 100.
BOMB_BYTES, BOMB_RATIO = 2**28, 200

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the memory that LZMA takes is the file's choice
_ENCRYPTED = 0x2041  # bits of the general purpose flags: encrypted, strongly encrypted, masked headers
_LEADS_OUT = re.compile(r"^$|^/|^[A-Za-z]:|\\|\0|(^|/)\.\.(/|$)")
_DIRECTORY_ENTRY, _LOCAL_HEADER = b"PK\1\2", struct.Struct("<4s22xHH")


class Archive(zipfile.ZipFile):
    """A checked `zipfile.ZipFile`; closing it closes the file. `read` may be called by several threads."""

    def __init__(self, where, file, error):
        self._where, self._error, self._reading = where, error, threading.Lock()
        super().__init__(file)

    def close(self):
        file = self.fp
        super().close()
        if file is not None:
            file.close()

    def read(  # type: ignore[override]  # the password of ZipFile.read is none of ours
        self, name: str | zipfile.ZipInfo, limit: float | None = None
    ) -> bytes:
        """The content of a member, which has exactly the size and the checksum that the archive states.

        `ZipFile.read` unpacks a member to any length before it is cut to the stated one.

        Args:
            name: name of the member, or its entry.
            limit: largest size in bytes.

        Raises:
            ZooError: of the class that `opened` got: a member that is larger than the limit, or damaged.
        """
        member = self.getinfo(name) if isinstance(name, str) else name
        try:
            return self.unpacked(member, limit)
        except zipfile.BadZipFile as problem:
            raise self._error(f"{self._where}: member {member.filename!r} is damaged ({problem}).") from problem

    def unpacked(self, name: str | zipfile.ZipInfo, limit: float | None = None) -> bytes:
        """The same; raises `zipfile.BadZipFile`."""
        member = self.getinfo(name) if isinstance(name, str) else name
        if limit is not None and member.file_size > limit:
            raise zipfile.BadZipFile(f"more than {int(limit):,} bytes")
        try:
            with self._reading:
                assert self.fp is not None, "the archive is closed"
                self.fp.seek(member.header_offset)
                signature, *lengths = _LOCAL_HEADER.unpack(self.fp.read(_LOCAL_HEADER.size))
                self.fp.seek(sum(lengths), os.SEEK_CUR)
                content = self.fp.read(member.compress_size)
            whole = signature == b"PK\3\4" and len(content) == member.compress_size
            if member.compress_type == zipfile.ZIP_DEFLATED:
                unpacking = zlib.decompressobj(-zlib.MAX_WBITS)
                content = unpacking.decompress(content, member.file_size + 1)
                whole = whole and unpacking.eof and not unpacking.unused_data
        except (OSError, ValueError, struct.error, zlib.error) as problem:
            raise zipfile.BadZipFile(str(problem)) from problem
        if not whole or len(content) != member.file_size:
            raise zipfile.BadZipFile("its size is not the stated one")
        if zlib.crc32(content) != member.CRC:
            raise zipfile.BadZipFile("Bad CRC-32")
        return content


def opened(
    source: str | os.PathLike | bytes,
    *,
    limit: float | None = None,
    members: int = MEMBERS,
    where: str | None = None,
    error: type[ZooError] = DataError,
    missing: type[ZooError] = DataNotFoundError,
    follow_links: bool = True,
) -> Archive:
    """Open a zip archive for reading, after a check of its directory: no content has been read or unpacked yet.

    Args:
        source: path of the archive, a regular file, or its content.
        limit: largest number of bytes of all members, unpacked.
        members: largest number of members.
        where: what to call the archive in an error; by default its path.
        error: class of the error for an archive that is damaged or refused.
        missing: class of the error for a file that is not there.
        follow_links: as for `zoo.core.reading.opened`.

    Returns:
        Archive, a context manager.

    Raises:
        ZooError: as above; the message names the archive and the member.

    Example:
        >>> with archives.opened("photos.zip", limit=1e9) as archive:
        ...     content = archive.read("train/cat/1.jpg", limit=1e6)
    """
    raw: io.RawIOBase | io.BytesIO
    if isinstance(source, bytes):
        where, size, raw = where or "This file", len(source), io.BytesIO(source)
    else:
        where = where or repr(os.fspath(source))
        with reading.opened(source, follow_links=follow_links, error=error, missing=missing) as file:
            size = os.fstat(file.fileno()).st_size
            raw = io.FileIO(os.dup(file.fileno()))
    directory = _BoundedReader(raw, members)
    try:
        archive = Archive(where, directory, error)
    except Exception as problem:  # zipfile raises errors of many kinds for damaged directories
        directory.close()
        raise error(f"{where} is damaged or not a zip archive ({_shown(problem)}). Copy or pack it again.") from problem
    directory.members = None
    refusal = _problem(archive.infolist(), archive.start_dir, size, limit, members)
    if refusal:
        archive.close()
        raise error(f"{where} is refused: {refusal}. Pack its files again if you trust where it is from.")
    return archive


class _BoundedReader(io.BufferedReader):
    """A file whose reads hold no more entries of a zip directory than allowed, while `members` is a number.

    `zipfile` makes an object of each entry, ten times the size that it has in the file.
    """

    def __init__(self, raw, members):
        super().__init__(raw)
        self.members = members

    def read(self, size=-1):
        content = super().read(size)
        if self.members is not None and content.count(_DIRECTORY_ENTRY) > self.members:
            raise zipfile.BadZipFile(f"more than {self.members:,} members")
        return content


def _problem(entries, end, size, limit, members):
    """Why the members are refused, in words, or None; `end` is where the archive's directory begins in the file."""
    names, total = set(), 0
    for entry in entries:
        name, kind = entry.orig_filename, stat.S_IFMT(entry.external_attr >> 16)
        if _LEADS_OUT.search(name):
            return f"member {name!r} has a path that may lead out of a folder"
        if entry.filename in names:
            return f"two members have the name {name!r}"
        if entry.flag_bits & _ENCRYPTED:
            return f"member {name!r} is encrypted"
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            return f"member {name!r} is a link or a device, not a file"
        if entry.compress_type not in _METHODS:
            return f"member {name!r} is compressed by another method than deflate"
        if entry.compress_type == zipfile.ZIP_STORED and entry.compress_size != entry.file_size:
            return f"member {name!r} has two different sizes"
        names.add(entry.filename)
        total += entry.file_size
    if len(entries) > members:
        return f"it has more than {members:,} members"
    if limit is not None and total > limit:
        return f"its members unpack to {total:,} bytes, more than {int(limit):,}"
    if total > max(BOMB_BYTES, BOMB_RATIO * size):
        return f"its {size:,} bytes unpack to {total:,}, as in a decompression bomb"
    for entry in sorted(entries, key=lambda entry: -entry.header_offset):
        if entry.header_offset < 0 or entry.header_offset + _LOCAL_HEADER.size + entry.compress_size > end:
            return f"member {entry.orig_filename!r} overlaps with another one"
        end = entry.header_offset
    return None


def _shown(problem):
    """An error of a library in one line without characters that a terminal would act upon."""
    return " ".join(ascii(str(problem))[1:-1].split())[:200] or type(problem).__name__
